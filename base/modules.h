/* modules.h - what is between host and guest about a kernel's modules: lines of /modules/order. */
#ifndef BASE_MODULES_H
#define BASE_MODULES_H

/* A file's name, after this when it is loaded for a checked image only. */
#define MODULE_VERITY "verity:"

#endif
