/*
 * What libfuse 3.14 to 3.16 do not tell the kernel, or us, put right on the
 * way between them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "scope.h"

struct mount;

/*
 * For a mount whose session is not served yet. The kernel then looks
 * names up and lists in parallel, leaves it to us to take setuid and setgid
 * bits away (wire_kills), and makes files without a name, as a CREATE of "/".
 * -errno: nothing of that.
 */
NODISCARD int wire_attach(struct mount *mount);
/* Shall setuid and setgid bits go with the request that the calling thread has
 * read last? */
bool wire_kills(void);
/* When was the object made whose attributes are answered next? */
void wire_tell_birth(int64_t birth_ns);
/* The kernel asks for every name anew, at once and however many it knows.
 * -EINVAL: it can't do that (before Linux 6.16). */
NODISCARD int wire_forget_names(struct mount *mount);
