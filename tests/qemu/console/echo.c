/* SPDX-License-Identifier: BSD-2-Clause */
/* Says what is typed, line by line, until the input ends. For tests/qemu/console/console.py. */
#include <stdio.h>
#include <string.h>

int main(void)
{
    char line[300]; /* the console takes lines of at most 255 */
    puts("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        printf("got <%s>\n", line);
    }
    puts("end of input");
    return 0;
}
