#include "serve/session_options.h"

bool
session_option(struct session_options *options, int key)
{
	switch (key) {
	case 'b': options->binary = true; return true;
	case '0': options->nul = true; return true;
	case 'n': options->netstring = true; return true;
	case 'T': options->types = true; return true;
	case 'M': options->max = option_size(0, INT64_MAX); return true;
	case 'k': options->ping_ms = option_duration(0, OPTION_DAY_MS); return true;
	case 'w': options->wait_ms = option_duration(1, OPTION_DAY_MS); return true;
	case SESSION_REPLACE: options->replace = true; return true;
	default: return false;
	}
}

void
session_options_end(struct session_options *options, const char *max)
{
	if (options->binary + options->nul + options->netstring > 1)
		usage_refuse("--binary, --nul and --netstring exclude each other");
	if (options->types && !options->netstring)
		usage_refuse("--types requires --netstring");
	if (options->netstring && options->max == 0)
		usage_refuse("%s: 0: netstrings need a limit, because each message is held in memory", max);
	if (options->replace && options->binary)
		usage_refuse("--replace applies to text only");
	options->mode = options->binary ? RECORD_BYTES : options->nul ? RECORD_NUL : !options->netstring ? RECORD_LINE
	    : options->types ? RECORD_TYPED : RECORD_NETSTRING;
}
