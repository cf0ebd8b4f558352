/* help.h - the text of --help. */
#ifndef ANOMALY_HELP_H
#define ANOMALY_HELP_H

extern const char help_text[];

#endif
