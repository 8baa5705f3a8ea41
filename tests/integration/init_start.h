/* init_start.h - see init_start.c */
#ifndef TESTS_INTEGRATION_INIT_START_H
#define TESTS_INTEGRATION_INIT_START_H

int start_programs(const char *in);

#endif
