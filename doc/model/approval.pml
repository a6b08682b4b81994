/*
 * approval.pml: commands that need two people, before one broker, at two
 * gateways: everything that can happen, and what must never.
 *
 *	gateways    two; each holds one command at a time, and judges it alone
 *	people      three with four keys: the first has two, which is to say two
 *	            sessions; the third may ask but not agree
 *	broker      between the gateways: loses, repeats, delays, reorders; a
 *	            client of it may say whatever it likes, unsigned
 *	time        ticks; whoever waits for a time may notice it late
 *	troubles    publishers leave, gateways restart, policies are read anew,
 *	            stops pass
 *
 * The broker is a set: what was ever said stays in it, and may arrive at any
 * time, any number of times, or never.  So loss, repetition, delay and
 * reordering of any depth need no queue and no bound.
 *
 * The states of a command are the code's own table.  Each MUTANT_* leaves one
 * check out, and must be found; check.sh runs them all.  See README.md beside
 * it for what is smaller than the world here, and why.
 */

#include "../../src/policy/approval_states.h"

#ifndef COMMANDS
#define COMMANDS 2 /* that are ever held, at both gateways together */
#endif
#define TIME   2 /* ticks until nobody asks any more */
#define WITHIN 1 /* ticks for somebody to agree */
#ifdef PATIENCE /* ticks for the other gateway to answer */
byte waits_until[2]; /* for that; 0: nobody does */
bool is_calm; /* from now on nobody says or does anything */
#define ASKS_OTHER(c)                                                          \
	waits_until[OTHER(commands[c].holder)] == 0 &&                         \
	    now + PATIENCE <= TIME ->                                          \
		waits_until[OTHER(commands[c].holder)] = now + PATIENCE;
#define FORGETS_WAITING(g) waits_until[g] = 0
#define IS_WAITING(g) (waits_until[g] != 0)
#define NOBODY_WAITS (waits_until[0] == 0 && waits_until[1] == 0)
#else
#define is_calm	      false
#define ASKS_OTHER(c) true ->
#define FORGETS_WAITING(g) skip
#define IS_WAITING(g) false
#define NOBODY_WAITS  true
#endif

#define GATEWAYS 2

/* Numbers, as a C compiler would give them. */
#define S(state, name) state,
mtype:approval = { APPROVAL_STATES(S) APPROVAL_STATES_END }
#undef S
#define WAY(a, b) || (from == a && to == b)

#define PERSON(key) ((key) < 2 -> 0 : (key) - 1)
#define BIT(n)	    (1 << (n))
#define HAS(set, n) (((set) & BIT(n)) != 0)
#define OTHER(g)    (1 - (g))
/* The gateways are alike: call the one that holds first the first. */
#define IS_FIRST_AT_FIRST(g) (count > 0 || (g) == 0)

#define EACH_KEY(X)	X(0) X(1) X(2) X(3)
#if COMMANDS == 1
#define EACH_COMMAND(X) X(0)
#else
#define EACH_COMMAND(X) X(0) X(1)
#endif

/* The third person may not agree. */
#define MAY_AGREE (BIT(0) | BIT(1))

/* ---- what a holder checks, and mutants do not ---- */

#ifdef MUTANT_NONCE
#define IS_FRESH(n, nonce) true
#else
#define IS_FRESH(n, nonce) ((n) == (nonce))
#endif

#ifdef MUTANT_LATE
#define IS_IN_TIME(n) true
#else
#define IS_IN_TIME(n) (now < commands[n].deadline)
#endif

/* What the connection looks at once more, when it is told to let it go. */
#ifdef MUTANT_OWNER_LATE
#define IS_LATE(n) false
#else
#define IS_LATE(n) (now >= commands[n].deadline)
#endif
#ifdef MUTANT_OWNER_STOP
#define IS_OVERTAKEN(n) false
#else
#define IS_OVERTAKEN(n) commands[n].is_stopped
#endif
#ifdef MUTANT_OWNER_POLICY
#define IS_REVOKED(n) false
#else
#define IS_REVOKED(n) commands[n].is_gone
#endif
#ifdef MUTANT_AGAIN
#define HAS_GONE_OUT(g) skip
#else
#define HAS_GONE_OUT(g) put_free(g)
#endif

#ifdef MUTANT_SAME
#define IS_ANOTHER(key, publisher) true
#elif defined(MUTANT_KEY)
#define IS_ANOTHER(key, publisher) ((key) != (publisher))
#else
#define IS_ANOTHER(key, publisher) (PERSON(key) != PERSON(publisher))
#endif

#ifdef MUTANT_ROLE
#define IS_OF_ROLE(key) true
#else
#define IS_OF_ROLE(key) HAS(MAY_AGREE, PERSON(key))
#endif

#ifdef MUTANT_WAITS
#define PASSES_STOP(g) (places[g] == 0)
#else
#define PASSES_STOP(g) true
#endif

#ifdef MUTANT_STOP
#define ENDS_BY_STOP(n) skip
#else
#define ENDS_BY_STOP(n) end_as(n, APPROVAL_SUPERSEDED)
#endif

#ifdef MUTANT_LEAVES
#define ENDS_BY_LEAVING(n) skip
#else
#define ENDS_BY_LEAVING(n) end_as(n, APPROVAL_LOST)
#endif

#ifdef MUTANT_POLICY
#define ENDS_BY_POLICY(n) skip
#else
#define ENDS_BY_POLICY(n) end_as(n, APPROVAL_REVOKED)
#endif

#ifdef MUTANT_RESTART
#define ENDS_BY_RESTART(g) commands[places[g] - 1].is_gone = true
#else
#define ENDS_BY_RESTART(g)                                                     \
	n = places[g] - 1;                                                     \
	places[g] = 0;                                                         \
	commands[n].state = APPROVAL_FREE;                                     \
	blank(n)
#endif

#ifdef MUTANT_PATIENCE
#define IS_OUT_OF_PATIENCE(g) false
#else
#define IS_OUT_OF_PATIENCE(g) (now >= waits_until[g])
#endif

/*
 * A command.  Its number is its nonce: never the same again, known to whoever
 * listens.  What the holder's id names is its place in the table, where
 * another command may stand later: an id alone says nothing, in this model.
 */
typedef command {
	mtype:approval state = APPROVAL_FREE;
	byte holder;
	byte publisher; /* a key */
	byte deadline;
	/* What the broker has of it, signed by a gateway. */
	byte approvals; /* keys that said yes at the other gateway */
	bool is_denied; /* somebody said no there */
	/* What no gateway knows, and every act is measured by. */
	byte agreed; /* people who said yes to this very command */
	bool is_gone; /* its gateway restarted, its policy or publisher went */
	bool is_stopped; /* a stop passed its gateway after it */
	byte acts
}

command commands[COMMANDS]; /* from 1 on in places[] and waits_for[] */
byte count;
byte now;

/* A gateway's memory, all of it lost at a restart. */
byte places[GATEWAYS]; /* the command that it holds, + 1; 0: none */


/* For the length of one step. */
hidden byte n;
hidden mtype:approval from, to;

/* ---- the table ---- */

inline set_state(m, next)
{
	from = commands[m].state;
	to = next;
	assert(false APPROVAL_TRANSITIONS(WAY));
	commands[m].state = next
}

/* What is over is the same as if it had been another: fewer states. */
inline blank(m)
{
	commands[m].publisher = 0;
	commands[m].deadline = 0;
	commands[m].agreed = 0;
	commands[m].approvals = 0;
	commands[m].is_denied = false;
	commands[m].is_gone = false;
	commands[m].is_stopped = false
}

/* It ends, and is not let out. */
inline end_as(m, outcome)
{
	set_state(m, outcome);
	blank(m)
}

inline put_free(g)
{
	n = places[g] - 1;
	places[g] = 0;
	set_state(n, APPROVAL_FREE);
	blank(n)
}

/* The command goes to the broker: here and nowhere else. */
inline act(m)
{
	commands[m].acts++;
	/* none twice */
	assert(commands[m].acts == 1);
	/* none without two different identities, and the other one's role */
	assert((commands[m].agreed & MAY_AGREE &
		~BIT(PERSON(commands[m].publisher))) != 0);
	/* none after its time */
	assert(now < commands[m].deadline);
	/* none after a restart, another policy, or its publisher's leaving */
	assert(!commands[m].is_gone);
	/* none after a stop that its gateway knew of */
	assert(!commands[m].is_stopped)
}

#define HOLDS(g)                                                               \
	(places[g] != 0 && commands[places[g] - 1].state == APPROVAL_HELD)
#define HAS_LET_GO(g)                                                          \
	(places[g] != 0 && commands[places[g] - 1].state == APPROVAL_RELEASED)

/* `key` is said to agree to what stands in g's place, under this nonce. */
#define LETS_GO(g, nonce, key)                                                 \
	(HOLDS(g) && IS_FRESH(places[g] - 1, nonce) &&                         \
	    IS_IN_TIME(places[g] - 1) &&                                       \
	    IS_ANOTHER(key, commands[places[g] - 1].publisher) &&              \
	    IS_OF_ROLE(key))
inline let_go(g)
{
	n = places[g] - 1;
	/* Nor does it count on what the connection looks at later. */
	assert(now < commands[n].deadline);
	assert(!commands[n].is_gone && !commands[n].is_stopped);
	set_state(n, APPROVAL_RELEASED);
	/* What is still said of it changes nothing any more. */
	commands[n].approvals = 0;
	commands[n].is_denied = false
}

/* ---- a gateway by itself ---- */

proctype gateway(byte g)
{
end:	do
	/* The publish goes out, in the connection that it came by: once. */
	:: d_step {
		HAS_LET_GO(g) ->
		n = places[g] - 1;
		if
		:: !IS_LATE(n) && !IS_OVERTAKEN(n) && !IS_REVOKED(n) ->
			act(n);
			HAS_GONE_OUT(g)
		:: else ->
			if
			:: commands[n].is_stopped ->
				end_as(n, APPROVAL_SUPERSEDED)
			:: !commands[n].is_stopped && commands[n].is_gone ->
				end_as(n, APPROVAL_REVOKED)
			:: else -> end_as(n, APPROVAL_EXPIRED)
			fi
		fi
	}
	/* It did not: the outcome is told, and the place is free. */
	:: d_step {
		places[g] != 0 && !HOLDS(g) && !HAS_LET_GO(g) ->
		put_free(g)
	}

#ifndef MUTANT_TIMER
	:: d_step {
		HOLDS(g) && now >= commands[places[g] - 1].deadline ->
		n = places[g] - 1;
		end_as(n, APPROVAL_EXPIRED)
	}
#endif

#ifdef PATIENCE
	/* Who asked the other one may have an answer; in time he has one. */
	:: d_step {
		waits_until[g] != 0 && IS_OUT_OF_PATIENCE(g) ->
		waits_until[g] = 0
	}
#endif
	od
}

/* ---- the broker: what was said of command c arrives ---- */

/* Of what is over anything may arrive, said or not: it must not matter. */
#define IS_OVER(c) (places[commands[c].holder] != c + 1)

#define YES_ARRIVES(key)                                                       \
	:: d_step {                                                            \
		!is_calm && c < count &&                                       \
		    (HAS(commands[c].approvals, key) || IS_OVER(c)) &&         \
		    LETS_GO(commands[c].holder, c, key) ->                     \
		let_go(commands[c].holder)                                     \
	}

/* What a client of the broker makes up, from what it overheard. */
#define FORGED_YES_ARRIVES(key)                                                \
	:: d_step {                                                            \
		!is_calm && c < count &&                                       \
		    LETS_GO(commands[c].holder, c, key) ->                     \
		let_go(commands[c].holder)                                     \
	}

/* The gateway that does not hold it takes it for its own. */
#define YES_MISTAKEN(key)                                                      \
	:: d_step {                                                            \
		!is_calm && c < count && HAS(commands[c].approvals, key) &&    \
		    LETS_GO(commands[c].holder, c, key) ->                     \
		act(c)                                                         \
	}

proctype broker(byte c)
{
end:	do
	EACH_KEY(YES_ARRIVES)
	:: d_step {
		!is_calm && c < count && commands[c].is_denied &&
		    HOLDS(commands[c].holder) ->
		n = c;
		end_as(n, APPROVAL_DENIED)
	}
#ifdef MUTANT_SIGNATURE
	EACH_KEY(FORGED_YES_ARRIVES)
#endif
#ifdef MUTANT_OTHER
	EACH_KEY(YES_MISTAKEN)
#endif
	od
}

/* A stop that passed the other gateway becomes known: any time, or never. */
proctype stop_arrives(byte g)
{
end:	do
	:: d_step {
		!is_calm && HOLDS(g) ->
		n = places[g] - 1;
		end_as(n, APPROVAL_SUPERSEDED)
	}
	od
}

/* ---- people: sessions of each key at each gateway ---- */

/* A command: held, or refused where there is no place. */
#define ASKS(key, g)                                                           \
	:: d_step {                                                            \
		!is_calm && count < COMMANDS && places[g] == 0 &&     \
		    now + WITHIN <= TIME && IS_FIRST_AT_FIRST(g) ->            \
		n = count;                                                     \
		set_state(n, APPROVAL_HELD);                                   \
		commands[n].holder = g;                                        \
		commands[n].publisher = key;                                   \
		commands[n].deadline = now + WITHIN;                           \
		places[g] = n + 1;                                             \
		count++                                                        \
	}

/* Yes, and no, to what is held here. */
#define SAYS_YES(key, g)                                                       \
	:: d_step {                                                            \
		!is_calm && HOLDS(g) &&                                        \
		    (!HAS_AGREED(places[g] - 1, key) ||                        \
			LETS_GO(g, places[g] - 1, key)) ->                     \
		n = places[g] - 1;                                             \
		AGREED(n, key);                                                \
		if                                                             \
		:: LETS_GO(g, n, key) -> let_go(g)                             \
		:: else                                                        \
		fi                                                             \
	}
#define SAYS_NO(g)                                                             \
	:: d_step {                                                            \
		!is_calm && HOLDS(g) ->                                        \
		n = places[g] - 1;                                             \
		end_as(n, APPROVAL_DENIED)                                     \
	}

/*
 * The same to what the other one holds.  What a gateway might check by itself
 * here, the holder does not rely on.
 */
#define TELLS_YES(key, c)                                                      \
	:: d_step {                                                            \
		!is_calm && c < count && HOLDS(commands[c].holder) &&          \
		    !IS_OVER(c) && !HAS(commands[c].approvals, key) &&         \
		    ASKS_OTHER(c)                                              \
		AGREED(c, key);                                                \
		commands[c].approvals = commands[c].approvals | BIT(key)       \
	}
#define TELLS_NO(c)                                                            \
	:: d_step {                                                            \
		!is_calm && c < count && HOLDS(commands[c].holder) &&          \
		    !IS_OVER(c) && !commands[c].is_denied && ASKS_OTHER(c)     \
		commands[c].is_denied = true                                   \
	}

#define HAS_AGREED(c, key) HAS(commands[c].agreed, PERSON(key))
#define AGREED(c, key)                                                         \
	commands[c].agreed = commands[c].agreed | BIT(PERSON(key))

#define SESSION(key) ASKS(key, 0) ASKS(key, 1) SAYS_YES(key, 0) SAYS_YES(key, 1)
#define TELLS_0(key) TELLS_YES(key, 0)
#define TELLS_1(key) TELLS_YES(key, 1)

proctype people()
{
end:	do
	EACH_KEY(SESSION)
	SAYS_NO(0)
	SAYS_NO(1)
	EACH_KEY(TELLS_0)
	TELLS_NO(0)
#if COMMANDS > 1
	EACH_KEY(TELLS_1)
	TELLS_NO(1)
#endif
	od
}

/* ---- what comes over a gateway ---- */

proctype troubles(byte g)
{
end:	do
	/* A stop passes at once, whatever is held, and ends it. */
	:: d_step {
		!is_calm && (HOLDS(g) || HAS_LET_GO(g) &&
		    !commands[places[g] - 1].is_stopped) ->
		assert(PASSES_STOP(g));
		n = places[g] - 1;
		if
		:: HOLDS(g) -> commands[n].is_stopped = true; ENDS_BY_STOP(n)
		:: HAS_LET_GO(g) -> commands[n].is_stopped = true
		:: else
		fi
	}
	/* The publisher leaves. */
	:: d_step {
		!is_calm && (HOLDS(g) || HAS_LET_GO(g)) ->
		n = places[g] - 1;
		commands[n].is_gone = true;
		ENDS_BY_LEAVING(n)
	}
	/* A restart: nothing is kept, publishers' connections least of all. */
	:: d_step {
		!is_calm && (places[g] != 0 || IS_WAITING(g)) ->
		if
		:: places[g] != 0 -> ENDS_BY_RESTART(g)
		:: else
		fi;
		FORGETS_WAITING(g)
	}
	/* Another policy: what waits was never judged by it. */
	:: d_step {
		!is_calm && HOLDS(g) && !commands[places[g] - 1].is_gone ->
		n = places[g] - 1;
		commands[n].is_gone = true;
		ENDS_BY_POLICY(n)
	}
	:: d_step {
		!is_calm && HAS_LET_GO(g) && !commands[places[g] - 1].is_gone ->
		n = places[g] - 1;
		commands[n].is_gone = true
	}
	od
}

proctype clock()
{
end:	do
	:: now < TIME -> now++
	od
}

#ifdef PATIENCE
proctype calm()
{
	is_calm = true;
end:	false
}
#endif

/* Where nothing more can happen nobody is left waiting: no deadlock. */
proctype verdict()
{
end:	timeout ->
	assert(places[0] == 0 && places[1] == 0);
	assert(NOBODY_WAITS)
}

#define STARTS_BROKER(c)  run broker(c);

init
{
	atomic {
		run gateway(0);
		run gateway(1);
		EACH_COMMAND(STARTS_BROKER)
		run stop_arrives(0);
		run stop_arrives(1);
		run people();
		run troubles(0);
		run troubles(1);
		run clock();
#ifdef PATIENCE
		run calm();
#endif
		run verdict()
	}
}
