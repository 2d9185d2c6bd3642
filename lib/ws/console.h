/* The WebSocket console: console.html, a page for browsers. */
#ifndef FITTINGS_CONSOLE_H
#define FITTINGS_CONSOLE_H

#include "base/span.h"

struct span console_page(void);

#endif
