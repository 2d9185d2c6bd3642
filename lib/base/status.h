/* Exit statuses, the same for all programs (EXIT STATUS in each manual). */
#ifndef FITTINGS_STATUS_H
#define FITTINGS_STATUS_H

enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,          /* invalid input, protocol error, refused, no free port */
	STATUS_USAGE = 2,           /* invalid options, or started without a required descriptor or variable */
	STATUS_NOT_EXECUTABLE = 126, /* the next program cannot be executed, as in env(1) */
	STATUS_NOT_FOUND = 127,
	STATUS_SIGNAL = 128,        /* plus the number of the signal that ended a program */
};

#endif
