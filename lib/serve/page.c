#include "serve/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sys/file.h"
#include "ws/console.h"

bool
page_renew(struct page *page)
{
	struct message *renewed, *old = page->message;
	struct file file;

	if (page->path == NULL)
		return true;
	if (file_read(page->path, ADMISSION_PAGE_MAX, NULL, &file) != 0)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOTSUP;
	if ((old->size != file.size || memcmp(old->bytes, file.bytes, file.size) != 0)
	    && (renewed = message_of(file.bytes, file.size)) != NULL) {
		message_release(old);
		page->message = renewed;
	}
	free(file.bytes);
	return true;
}

bool
page_begin(struct page *page, const struct admission *admission)
{
	struct time_limit limit = {.limit_ms = admission->limit_ms};
	struct span bytes = console_page();
	struct file file = {0};

	if (admission->policy.page == POLICY_NO_PAGE)
		return true;
	if (admission->page != NULL) {
		if (file_read(admission->page, ADMISSION_PAGE_MAX, &limit, &file) != 0) {
			warn("%s: %s", quoted(admission->page),
			    errno == ETIMEDOUT ? "no end of file within --timeout" : strerror(errno));
			return false;
		}
		bytes = (struct span){file.bytes, file.size};
		if (!file.regular)
			warn("%s: not a regular file: read once, %zu bytes", quoted(admission->page), file.size);
	}
	page->path = file.regular ? admission->page : NULL;
	page->message = message_of(bytes.at, bytes.size);
	free(file.bytes);
	if (page->message == NULL)
		warn("no memory for the page");
	return page->message != NULL;
}
