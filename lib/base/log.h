/*
 * Diagnostics: the only place in lib/ that writes to stderr, and with die() the only one that exits. Each line is
 * one write; bytes other than printable ASCII appear as \xHH. A line never blocks the program: if stderr does not
 * accept it (a full pipe), it is dropped and counted, and a later line reports the count.
 */
#ifndef FITTINGS_LOG_H
#define FITTINGS_LOG_H

#include <stddef.h>

/* Set the name that starts each diagnostic. The string is not copied. */
void log_name(const char *program);

/* Write a line without the program's name: `Bound to 9000`. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Write `program: object: problem`. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* warn(), then exit with status (enum status). */
void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* Return untrusted text in printable form: escaped, cut after 256 bytes (followed by `...`), and with `***` for the
 * user and password of a URL. The result is valid until the fourth call after this one. */
const char *quoted(const char *text);
const char *quoted_bytes(const void *bytes, size_t size);

#endif
