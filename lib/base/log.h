/*
 * Diagnostics: the one place in lib/ that writes to stderr, and die() the one
 * that exits. Each line leaves in one write, bytes that are not printable
 * ASCII as \xHH. A line never blocks the program: where stderr does not take
 * it (a full pipe), it is dropped and counted, and the count said later.
 */
#ifndef FITTINGS_LOG_H
#define FITTINGS_LOG_H

#include <stddef.h>

/* The name before each complaint; not copied. */
void log_name(const char *program);

/* A line as it is: `Bound to 9000`. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `program: what: why`. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* warn() and exit with status (enum status). */
void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/*
 * Foreign text made fit for a line: escaped, and cut at 256 bytes (then `...`
 * follows); the user and the password in a URL are `***`. The result lives until the fourth call after this one.
 */
const char *quoted(const char *text);
const char *quoted_bytes(const void *bytes, size_t size);

#endif
