#include "ssh_algorithm.h"

static const struct ssh_algorithm algorithms[] = {
#define X(stem, type, end, ...)                                                \
	{stem end, type end, SSH_ALGORITHM_CERTIFIED(stem),                    \
	    SSH_ALGORITHM_CERTIFIED(type), __VA_ARGS__},
    SSH_ALGORITHMS(X)
#undef X
};

enum { COUNT = sizeof algorithms / sizeof algorithms[0] };

const struct ssh_algorithm *
ssh_algorithm_find(struct span name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (span_is(name, algorithms[i].name))
			return &algorithms[i];
	return NULL;
}

const struct ssh_algorithm *
ssh_algorithm_certified(struct span name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (span_is(name, algorithms[i].certificate))
			return &algorithms[i];
	return NULL;
}

const struct ssh_algorithm *
ssh_algorithm_of_certificate_type(struct span type)
{
	for (size_t i = 0; i < COUNT; i++)
		if (span_is(type, algorithms[i].certificate_type))
			return &algorithms[i];
	return NULL;
}

const char *
ssh_algorithm_names(void)
{
	static const char names[] =
#define X(stem, type, end, ...) "," stem end
	    SSH_ALGORITHMS(X)
#undef X
	    ;

	return names + 1;
}

const char *
ssh_algorithm_certificate_names(void)
{
	static const char names[] =
#define X(stem, ...) "," SSH_ALGORITHM_CERTIFIED(stem)
	    SSH_ALGORITHMS(X)
#undef X
	    ;

	return names + 1;
}
