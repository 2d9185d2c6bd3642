#include "csv/csv_select.h"

#include "base/utf8.h"
#include "base/number.h"

static bool
is_position(struct span text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((text.at[i] < '0' || text.at[i] > '9') && text.at[i] != '-' && text.at[i] != '~')
			return false;
	return text.size != 0;
}

/* Parse `3` or `~3`. An empty text is the point `absent`. */
static enum csv_item_kind
point_parse(struct span text, struct csv_point absent, struct csv_point *point)
{
	uint64_t number;

	*point = absent;
	if (text.size == 0)
		return CSV_ITEM_GOOD;
	point->from_end = text.at[0] == '~';
	if (point->from_end)
		text = (struct span){text.at + 1, text.size - 1};
	for (size_t i = 0; i < text.size; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return CSV_ITEM_NOT_A_RANGE;
	if (text.size == 0)
		return CSV_ITEM_NOT_A_RANGE;
	if (!number_parse(text, 1, CSV_POSITION_MAX, &number))
		return CSV_ITEM_OUT_OF_RANGE;
	point->number = (uint32_t)number;
	return CSV_ITEM_GOOD;
}

enum csv_item_kind
csv_item_parse(struct span text, bool quoted, struct csv_item *item)
{
	const struct csv_point start = {1, false}, end = {1, true};
	const char *dash;
	enum csv_item_kind kind;

	*item = (struct csv_item){.named = quoted || !is_position(text), .text = text};
	if (text.size == 0 && !quoted)
		return CSV_ITEM_EMPTY;
	if (item->named)
		return CSV_ITEM_GOOD;
	dash = memchr(text.at, '-', text.size);
	if (dash == NULL) {
		kind = point_parse(text, start, &item->first);
		item->last = item->first;
		return kind;
	}
	if (text.size == 1)
		return CSV_ITEM_NOT_A_RANGE;
	kind = point_parse((struct span){text.at, (size_t)(dash - text.at)}, start, &item->first);
	if (kind != CSV_ITEM_GOOD)
		return kind;
	return point_parse((struct span){dash + 1, (size_t)(text.at + text.size - dash - 1)}, end, &item->last);
}

/* Read a quoted text and move *at after its closing quote. Return false if the text is not quoted correctly. */
static bool
quoted_read(const char **at, const char *end, char **bytes)
{
	for ((*at)++; *at < end; *(*bytes)++ = *(*at)++)
		if (**at == '"' && (++*at == end || **at != '"'))
			return true;
	return false;
}

enum csv_item_kind
csv_list_parse(struct span list, char *bytes, struct csv_item *items, size_t *count)
{
	const char *at = list.at, *end = at + list.size;
	enum csv_item_kind kind;

	*count = 0;
	if (list.size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	if (at < end && end[-1] == '\n')
		end -= 1 + (end - at > 1 && end[-2] == '\r');
	do {
		bool quoted = at < end && *at == '"';
		struct span text = {bytes, 0};

		if (quoted && !quoted_read(&at, end, &bytes))
			return CSV_ITEM_NOT_IN_A_LIST;
		while (at < end && *at != ',' && *at != '\n')
			*bytes++ = *at++;
		if (at < end && *at == '\n')
			return CSV_ITEM_NOT_IN_A_LIST;
		text.size = (size_t)(bytes - text.at);
		kind = csv_item_parse(text, quoted, &items[(*count)++]);
	} while (kind == CSV_ITEM_GOOD && at < end && *at++ == ',');
	return kind;
}

/* Return the position of the first field with this name, or 0 if no field has it. */
static uint32_t
position_of(struct span name, const struct csv_record *header)
{
	for (size_t i = 1; i <= header->count && i <= CSV_POSITION_MAX; i++)
		if (span_equal(csv_record_field(header, (int64_t)i), name))
			return (uint32_t)i;
	return 0;
}

const struct csv_item *
csv_select_resolve(struct csv_item *items, size_t count, const struct csv_record *header)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t position = items[i].named ? position_of(items[i].text, header) : 0;

		if (items[i].named && position == 0)
			return &items[i];
		if (items[i].named)
			items[i].first = items[i].last = (struct csv_point){position, false};
	}
	return NULL;
}

const struct csv_item *
csv_select_mistaken(const struct csv_item *items, size_t count, const struct csv_record *header)
{
	for (size_t i = 0; i < count; i++) {
		const struct csv_item *item = &items[i];
		bool beyond = item->first.number > header->count || item->last.number > header->count;

		if (!item->named && beyond && position_of(item->text, header) != 0)
			return item;
	}
	return NULL;
}

/* Return the position of a point, which may be 0 or negative. */
static int64_t
place_of(struct csv_point point, uint64_t n)
{
	return point.from_end ? (int64_t)n + 1 - point.number : point.number;
}

/* Find the position of an item at a step. Return false after the last one. */
static bool
item_step(const struct csv_item *item, uint64_t step, uint64_t n, int64_t *position)
{
	int64_t first = place_of(item->first, n), last = place_of(item->last, n);
	bool down = item->first.from_end && !item->last.from_end;

	if (item->first.from_end == item->last.from_end)
		down = first > last;
	if (down ? first < last : first > last)
		return false;
	if (step > (uint64_t)(down ? first - last : last - first))
		return false;
	*position = down ? first - (int64_t)step : first + (int64_t)step;
	return true;
}

static bool
item_has(const struct csv_item *item, uint64_t n, uint64_t position)
{
	int64_t first = place_of(item->first, n), last = place_of(item->last, n), at = (int64_t)position;

	if (item->first.from_end == item->last.from_end)
		return (first <= at && at <= last) || (last <= at && at <= first);
	return item->first.from_end ? last <= at && at <= first : first <= at && at <= last;
}

static bool
complement_next(const struct csv_select *select, struct csv_walk *walk, uint64_t n, int64_t *position)
{
	while (walk->step < n) {
		size_t i = 0;

		walk->step++;
		while (i < select->count && !item_has(&select->items[i], n, walk->step))
			i++;
		*position = (int64_t)walk->step;
		if (i == select->count)
			return true;
	}
	return false;
}

bool
csv_select_next(const struct csv_select *select, struct csv_walk *walk, uint64_t n, int64_t *position)
{
	if (select->complement)
		return complement_next(select, walk, n, position);
	for (; walk->item < select->count; walk->item++, walk->step = 0)
		if (item_step(&select->items[walk->item], walk->step, n, position)) {
			walk->step++;
			return true;
		}
	return false;
}

bool
csv_select_same_names(const struct csv_select *a, const struct csv_record *header_a, const struct csv_select *b,
                      const struct csv_record *header_b)
{
	struct csv_walk walk_a = {0}, walk_b = {0};
	int64_t in_a, in_b;

	while (csv_select_next(a, &walk_a, header_a->count, &in_a))
		if (!csv_select_next(b, &walk_b, header_b->count, &in_b)
		    || !span_equal(csv_record_field(header_a, in_a), csv_record_field(header_b, in_b)))
			return false;
	return !csv_select_next(b, &walk_b, header_b->count, &in_b);
}

bool
csv_select_is_utf8(const struct csv_select *select, const struct csv_record *record)
{
	struct csv_walk walk = {0};
	int64_t position;

	if (csv_record_is_utf8(record))
		return true;
	while (csv_select_next(select, &walk, record->count, &position)) {
		struct span text = csv_record_field(record, position);
		struct utf8 state = {0};

		if (utf8_check(&state, text.at, text.size) != text.size || !utf8_whole(&state))
			return false;
	}
	return true;
}

/* Convert an item of any direction to a range. Return false if the range depends on the record. */
static bool
range_of(const struct csv_item *item, struct csv_range *range)
{
	uint64_t first = item->first.number, last = item->last.number;

	if (item->first.from_end || (item->last.from_end && last != 1))
		return false;
	*range = (struct csv_range){first, last};
	if (item->last.from_end)
		range->to = UINT64_MAX;
	else if (first > last)
		*range = (struct csv_range){last, first};
	return true;
}

/* Sort ranges by their beginnings. */
static void
ranges_sort(struct csv_range *ranges, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct csv_range range = ranges[i];
		size_t k = i;

		for (; k > 0 && ranges[k - 1].from > range.from; k--)
			ranges[k] = ranges[k - 1];
		ranges[k] = range;
	}
}

/* Replace sorted ranges by the gaps between them and the rest after them. */
static size_t
ranges_invert(struct csv_range *ranges, size_t count)
{
	uint64_t next = 1;
	size_t made = 0;

	for (size_t i = 0; i < count && next != 0; i++) {
		struct csv_range range = ranges[i];

		if (range.from > next)
			ranges[made++] = (struct csv_range){next, range.from - 1};
		if (range.to >= next)
			next = range.to + 1;
	}
	if (next != 0)
		ranges[made++] = (struct csv_range){next, UINT64_MAX};
	return made;
}

long
csv_select_ranges(const struct csv_select *select, struct csv_range *ranges)
{
	for (size_t i = 0; i < select->count; i++) {
		const struct csv_item *item = &select->items[i];

		if (!range_of(item, &ranges[i]))
			return -1;
		if (select->complement)
			continue;
		if (ranges[i].from != item->first.number || (i > 0 && ranges[i].from <= ranges[i - 1].to))
			return -1;
	}
	if (!select->complement)
		return (long)select->count;
	ranges_sort(ranges, select->count);
	return (long)ranges_invert(ranges, select->count);
}

uint64_t
csv_select_limit(const struct csv_select *select)
{
	uint64_t limit = 0;

	if (select->complement)
		return 0;
	for (size_t i = 0; i < select->count; i++) {
		struct csv_range range;

		if (!range_of(&select->items[i], &range) || range.to == UINT64_MAX)
			return 0;
		if (range.to > limit)
			limit = range.to;
	}
	return limit;
}
