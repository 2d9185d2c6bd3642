#include "csv/csv_header.h"

#include "base/number.h"

enum { NAME_MAX = 64, HINT_MAX = 64 };

/* Read decimal digits and advance *text. Return false if there is no number, or if it is too large. */
static bool
digits_take(struct span *text, uint64_t *number)
{
	struct span digits = {text->at, 0};

	while (digits.size < text->size && text->at[digits.size] >= '0' && text->at[digits.size] <= '9')
		digits.size++;
	*text = span_skip(*text, digits.size);
	return digits.size > 0 && digits.at[0] != '0' && number_parse(digits, 1, UINT64_MAX, number);
}

/* Read a name that csv_key_put() may write: `5`, `~5`, `5_2`. */
static bool
number_read(struct span name, struct csv_number *number)
{
	*number = (struct csv_number){.from_end = name.size > 0 && name.at[0] == '~', .suffix = 1};
	name = span_skip(name, number->from_end);
	if (!digits_take(&name, &number->number))
		return false;
	if (name.size == 0)
		return true;
	if (name.at[0] != '_')
		return false;
	name = span_skip(name, 1);
	return digits_take(&name, &number->suffix) && number->suffix > 1 && name.size == 0;
}

static bool
number_before(const struct csv_number *a, const struct csv_number *b)
{
	if (a->from_end != b->from_end)
		return b->from_end;
	return a->number != b->number ? a->number < b->number : a->suffix < b->suffix;
}

/* Move numbers[i] down in a heap of `count` numbers, whose root is the last one in order. */
static void
sift_down(struct csv_number *numbers, size_t i, size_t count)
{
	struct csv_number moved = numbers[i];

	for (size_t child; (child = 2 * i + 1) < count; i = child) {
		child += child + 1 < count && number_before(&numbers[child], &numbers[child + 1]);
		if (!number_before(&moved, &numbers[child]))
			break;
		numbers[i] = numbers[child];
	}
	numbers[i] = moved;
}

/* Heapsort: it needs no storage, and no header makes it slow. */
static void
numbers_sort(struct csv_number *numbers, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(numbers, i, count);
	for (size_t i = count; i-- > 1;) {
		struct csv_number last = numbers[0];

		numbers[0] = numbers[i];
		numbers[i] = last;
		sift_down(numbers, 0, i);
	}
}

/* Merge the entries of each number into one, with its first free suffix. */
static size_t
numbers_merge(struct csv_number *numbers, size_t count)
{
	size_t made = 0;

	for (size_t i = 0; i < count; i++) {
		struct csv_number *at = &numbers[made - (made > 0)];
		bool same = made > 0 && at->from_end == numbers[i].from_end && at->number == numbers[i].number;

		if (same && at->suffix == numbers[i].suffix) {
			at->suffix++;
		} else if (!same && numbers[i].suffix == 1) {
			numbers[made] = numbers[i];
			numbers[made++].suffix = 2;
		}
	}
	return made;
}

size_t
csv_numbers_count(const struct csv_record *header)
{
	struct csv_number number;
	size_t count = 0;

	for (size_t i = 1; i <= header->count; i++)
		count += number_read(csv_record_field(header, (int64_t)i), &number);
	return count;
}

size_t
csv_numbers_find(const struct csv_record *header, struct csv_number *numbers)
{
	struct csv_number number;
	size_t count = 0;

	for (size_t i = 1; i <= header->count; i++)
		if (number_read(csv_record_field(header, (int64_t)i), &number))
			numbers[count++] = number;
	numbers_sort(numbers, count);
	return numbers_merge(numbers, count);
}

void
csv_key_put(struct strbuf *key, uint64_t number, bool from_end, const struct csv_number *numbers, size_t count)
{
	const struct csv_number wanted = {.number = number, .from_end = from_end};
	size_t low = 0;

	for (size_t high = count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (number_before(&numbers[middle], &wanted))
			low = middle + 1;
		else
			high = middle;
	}
	if (from_end)
		strbuf_put_char(key, '~');
	strbuf_put_number(key, number);
	if (low < count && numbers[low].number == number && numbers[low].from_end == from_end) {
		strbuf_put_char(key, '_');
		strbuf_put_number(key, numbers[low].suffix);
	}
}

/* Return whether the header is the line `sep=` of Excel, which names the delimiter. */
static bool
is_sep_line(const struct csv_record *header)
{
	struct span first = csv_record_field(header, 1);

	if (!span_begins_case(first, span_of("sep=")))
		return false;
	return (header->count == 1 && first.size <= 5) || (header->count == 2 && first.size == 4);
}

static size_t
bytes_count(const struct csv_record *record, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < record->used; i++)
		count += record->bytes[i] == (unsigned char)byte;
	return count;
}

/* Return a delimiter that the header has more often than that of the dialect, or '\0'. */
static char
likely_delimiter(const struct csv_record *header, const struct csv_dialect *dialect)
{
	static const char candidates[] = ";\t|,:";
	size_t most = header->count - 1;
	char likely = '\0';

	for (const char *c = candidates; *c != '\0'; c++) {
		size_t count = (unsigned char)*c == dialect->delimiter ? 0 : bytes_count(header, *c);

		if (count > most) {
			most = count;
			likely = *c;
		}
	}
	return likely;
}

static void
delimiter_put(struct strbuf *text, const char *before, char delimiter)
{
	strbuf_put_string(text, before);
	if (delimiter == '\t')
		strbuf_put_string(text, "\\t");
	else
		strbuf_put_char(text, delimiter);
	strbuf_put_char(text, '\'');
}

/* Write ` (hint)` if the header shows why a name may be missing. */
static void
hint_put(const struct csv_record *header, const struct csv *csv, struct strbuf *text)
{
	struct span all = {(const char *)header->bytes, header->used}, first = csv_record_field(header, 1);
	char likely = likely_delimiter(header, &csv->dialect);

	if (span_begins_case(all, span_of("\xff\xfe")) || span_begins_case(all, span_of("\xfe\xff"))) {
		strbuf_put_string(text, " (UTF-16: iconv -f UTF-16 -t UTF-8)");
	} else if (is_sep_line(header)) {
		strbuf_put_string(text, " (skip the line 'sep=': tail -n +2");
		if (first.size == 5)
			delimiter_put(text, ", then -d '", first.at[4]);
		strbuf_put_char(text, ')');
	} else if (csv->bare_cr && bytes_count(header, '\r') != 0) {
		strbuf_put_string(text, " (CR alone does not end a record: tr '\\r' '\\n')");
	} else if (likely != '\0') {
		delimiter_put(text, " (perhaps -d '", likely);
		strbuf_put_char(text, ')');
	}
}

/* Write a name, cut at NAME_MAX bytes. */
static void
name_put(struct strbuf *text, struct span name)
{
	bool fits = name.size <= NAME_MAX;

	strbuf_put(text, fits ? name : (struct span){name.at, NAME_MAX});
	strbuf_put_string(text, fits ? "" : "...");
}

/* Write the number of fields and the first names: `2 fields: 'a', 'b'`. */
static void
header_describe(const struct csv_record *header, struct strbuf *text)
{
	const size_t frame = strlen(", '...', ...");

	strbuf_put_number(text, header->count);
	strbuf_put_string(text, header->count == 1 ? " field: " : " fields: ");
	for (size_t i = 1; i <= header->count; i++) {
		struct span name = csv_record_field(header, (int64_t)i);

		strbuf_put_string(text, i > 1 ? ", " : "");
		if (text->capacity - text->size < frame + (name.size < NAME_MAX ? name.size : NAME_MAX)) {
			strbuf_put_string(text, "...");
			return;
		}
		strbuf_put_char(text, '\'');
		name_put(text, name);
		strbuf_put_char(text, '\'');
	}
}

bool
csv_header_resolve(struct csv_item *items, size_t count, const struct csv_record *header, const struct csv *csv,
                   struct strbuf *why)
{
	const struct csv_item *item = csv_select_resolve(items, count, header);

	if (item != NULL) {
		strbuf_put_string(why, "no field is named '");
		name_put(why, item->text);
		strbuf_put_string(why, "': the header has ");
		why->capacity -= HINT_MAX;
		header_describe(header, why);
		why->capacity += HINT_MAX;
		hint_put(header, csv, why);
		return false;
	}
	item = csv_select_mistaken(items, count, header);
	if (item != NULL) {
		strbuf_put_string(why, "position ");
		name_put(why, item->text);
		strbuf_put_string(why, " is beyond the header, which has a field of that name (-f '\"");
		name_put(why, item->text);
		strbuf_put_string(why, "\"')");
	}
	return item == NULL;
}
