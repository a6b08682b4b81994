#ifndef KAYA_ENROLL_SCRIPT_H
#define KAYA_ENROLL_SCRIPT_H

/* enroll_script: the text of enroll_server.sh; made when kaya is built. */
extern const char enroll_script[];

#endif
