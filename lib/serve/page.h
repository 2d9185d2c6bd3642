/* The page of a server for browsers: the console, or the current content of a file. */
#ifndef FITTINGS_PAGE_H
#define FITTINGS_PAGE_H

#include <stdbool.h>

#include "serve/admission.h"
#include "serve/outbox.h"

/* All zero: no page. */
struct page {
	struct message *message; /* shared by all clients */
	const char *path;        /* of a file that can be read again, else NULL */
};

/* Read the page for the first time; a file that is not regular is read only here. Return false
 * after an error, which is logged. */
bool page_begin(struct page *page, const struct admission *admission);

/* Read the file again. Without descriptors or memory, or if the file is no longer regular, keep the
 * page. Return false with errno if the file cannot be read. */
bool page_renew(struct page *page);

#endif
