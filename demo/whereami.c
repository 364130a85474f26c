/* Says for which machine it was compiled, and which machine the kernel says it runs on. */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#if defined(__x86_64__)
#define COMPILED_FOR "x86_64"
#elif defined(__aarch64__)
#define COMPILED_FOR "aarch64"
#else
#define COMPILED_FOR "another machine"
#endif

int main(void) {
    struct utsname kernel;
    if (uname(&kernel) != 0) {
        perror("uname");
        return 1;
    }
    printf("compiled for %s, running on %s as uid %d\n", COMPILED_FOR, kernel.machine, (int)getuid());
    return 0;
}
