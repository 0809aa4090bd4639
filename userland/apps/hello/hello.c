/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest program: greets whom its arguments name. docs/howto/add-a-program.md tells how one
 * like it is made.
 */
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        puts("Hello, world!");
    }
    for (int i = 1; i < argc; i++) {
        printf("Hello, %s!\n", argv[i]);
    }
    return 0;
}
