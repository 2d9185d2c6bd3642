/* The page that a server gives to browsers: the console, or a file as it is now. */
#ifndef FITTINGS_PAGE_H
#define FITTINGS_PAGE_H

#include <stdbool.h>

#include "serve/admission.h"
#include "serve/outbox.h"

/* All zero is no page. */
struct page {
	struct message *message; /* shared by all clients that it is sent to */
	const char *path;        /* of a file that can be read again, else NULL */
};

/* Reads it for the first time: all that is read of a file that cannot be read again. Returns false after a complaint. */
bool page_begin(struct page *page, const struct admission *admission);

/* Reads the file again. Without descriptors or memory to do so, and if it is no regular file any more, the page stays
 * as it was. Returns false with errno if it cannot be read. */
bool page_renew(struct page *page);

#endif
