#include <stdio.h>
#include <sys/utsname.h>

int main(void)
{
    struct utsname name;
    if (uname(&name) != 0)
        return 1;
    printf("%s %s\n", name.sysname, name.machine);
    return 0;
}
