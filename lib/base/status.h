/* Exit statuses, the same for every program (each manual's EXIT STATUS). */
#ifndef FITTINGS_STATUS_H
#define FITTINGS_STATUS_H

enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,          /* bad input, protocol broken, refused, no port free */
	STATUS_USAGE = 2,           /* wrong options, or started without what it needs */
	STATUS_NOT_EXECUTABLE = 126, /* as env(1) says of the next program */
	STATUS_NOT_FOUND = 127,
	STATUS_SIGNAL = 128,        /* plus the signal that ended a program */
};

#endif
