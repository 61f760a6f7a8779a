/* One job whose attempt was taken for absent and is accepted after all: acceptance.py, doubts.py,
   store/surplus.py, ending.py.  Policy when_absent = resend, at most 2 attempts; a provider WITHOUT
   idempotency, which may make a call long after the grace.

   Every atomic step is one transaction under the job's row.  A call is made, told of (answer,
   callback or list, any number of times, in any order) and ends: busy (another try) or for good.

   GRACE       absence is concluded only when no request is under way any more
   CANCEL      a waiting or queued job may be closed by a cancel
   THREE       at most 3 attempts; of calls at once only the first two are looked at
   Mutants, each must FAIL
     M_TAKEBACK  a late acceptance leaves a job that waits for its second try as it is
     M_QUEUED    it takes back what waits, not what a due claim has already queued
     M_ONESIDED  a second call is looked for only when the LATE fact arrives, not when the second's does
     M_ANYTWO    any two accepted attempts of a job count as one call too many
     M_UNKNOWN   a late fact does not correct a job that ended `unknown`
     M_NOTBACK   THREE: what came to nothing begins another try although the one before turned up
     M_NOGRACE   GRACE's oracle without GRACE: only the grace keeps it to one call at a time
   Known limit, FAILS too: CANCEL without GRACE.  A job that waits for its second try is cancelled, and
   its first request is accepted after that: the call is followed and shown, the job stays `cancelled`.

   Oracles   known  no intent while an earlier attempt is known to be accepted and not over
             I1     with GRACE: no second call while the first is in the air
             brake  at quiescence the second of two calls at once is marked, to be stopped
             innocent  nothing else is marked
             lost   at quiescence the job is final, not `unknown` if its last attempt was made, and no
                    call became known only after its job was cancelled */
mtype = { QUEUED, SENDING, INDOUBT, WAITING, ACCEPTED, DONE, UNKNOWN, CANCELLED };   /* job */
mtype = { NONE, OPEN, DOUBTED, ABSENT, TAKEN };                                      /* attempt */

#ifdef THREE
#define MOST 3
#else
#define MOST 2
#endif

mtype st = QUEUED; byte open = 0; byte n = 0;         /* job: state, open attempt (0 null), attempts */
mtype at[4] = NONE;                                   /* attempt 1, 2, 3 */
bool wire[4]; bool made[4]; bool over[4];             /* the provider: under way, call made, ended */
bool folded[4];                                       /* its end was told to us */
bool marked[4];                                       /* a surplus to be stopped */
byte seen[4];                                         /* attempts there were when it was accepted */
bool after[4];                                        /* accepted only after the next intent */
bool twice = false;                                   /* ghost: the second began before the first ended */
bool missed = false;                                  /* ghost: first known when the job was cancelled */
byte it = 0; hidden byte known; hidden byte I1; hidden byte brake; hidden byte innocent; hidden byte lost;   /* always 0: names */

#define FINAL (st == DONE || st == UNKNOWN || st == CANCELLED)

/* A fact, from whoever: not fenced. */
inline accept(i) {
  late = (at[i] == ABSENT);
  if
  :: at[i] != TAKEN -> at[i] = TAKEN;
       seen[i] = n; if :: n > i -> after[i] = true :: else fi;
       if :: st == CANCELLED -> missed = true :: else fi
  :: else
  fi;
  if
  :: open == i && (st == SENDING || st == INDOUBT) -> st = ACCEPTED
#ifndef M_TAKEBACK
#ifdef M_QUEUED
  :: late && st == WAITING -> st = ACCEPTED; open = i
#else
  :: late && (st == WAITING || st == QUEUED) -> st = ACCEPTED; open = i          /* take_back */
#endif
#endif
  :: else
  fi;
  if
#ifdef M_ANYTWO
  :: at[1] == TAKEN && at[2] == TAKEN -> marked[2] = true
#else
#ifdef M_ONESIDED
  :: late && i == 1 && at[2] == TAKEN && st == ACCEPTED -> marked[2] = true
#else
  :: at[1] == TAKEN && at[2] == TAKEN && after[1] -> marked[2] = true
#endif
#endif
  :: else
  fi;
  late = false
}

/* Attempt i came to nothing, or nobody was there: another try, unless another call of the job is in
   the air, or one before it has turned up since its intent.                              go_back */
#define IN_THE_AIR(j) (j != it && at[j] == TAKEN && !folded[j])
#define TURNED_UP(j) (j < it && at[j] == TAKEN && seen[j] >= it)
inline again(i) {
  it = i;
  if
#ifndef M_NOTBACK
  :: IN_THE_AIR(1) -> open = 1; st = ACCEPTED
  :: IN_THE_AIR(2) -> open = 2; st = ACCEPTED
  :: IN_THE_AIR(3) -> open = 3; st = ACCEPTED
  :: !IN_THE_AIR(1) && !IN_THE_AIR(2) && !IN_THE_AIR(3) ->
       if :: st = WAITING; open = 0
          :: TURNED_UP(1) -> st = DONE; open = 1
          :: TURNED_UP(2) -> st = DONE; open = 2 fi
#else
  :: st = WAITING; open = 0
#endif
  fi;
  it = 0
}

proctype dispatcher() {
  bool late;
end_idle:
  do
  :: atomic { st == WAITING && n < MOST -> st = QUEUED }                            /* due claim */
  :: atomic { st == QUEUED ->                                                    /* intent */
       assert(known || !(n >= 1 && at[1] == TAKEN && !folded[1]));
       assert(known || !(n >= 2 && at[2] == TAKEN && !folded[2]));
       n++; open = n; at[n] = OPEN; wire[n] = true; st = SENDING }
  :: atomic { open > 0 && at[open] == OPEN && st == SENDING ->                   /* no answer */
       at[open] = DOUBTED; st = INDOUBT }
  :: atomic { open > 0 && at[open] == OPEN && made[open] -> accept(open) }       /* answer */
  od
}

proctype provider() {
end_idle:
  do
  :: atomic { wire[1] -> wire[1] = false; if :: made[1] = true :: skip fi;
       if :: made[1] && made[2] && !over[2] -> twice = true :: else fi }
  :: atomic { wire[2] -> wire[2] = false; if :: made[2] = true :: skip fi;
       if :: made[1] && made[2] && !over[1] -> twice = true :: else fi
#if defined(GRACE) || defined(M_NOGRACE)
       ; assert(I1 || !twice)
#endif
     }
  :: atomic { wire[3] -> wire[3] = false; if :: made[3] = true :: skip fi }
  :: atomic { made[1] && !over[1] -> over[1] = true }
  :: atomic { made[2] && !over[2] -> over[2] = true }
  :: atomic { made[3] && !over[3] -> over[3] = true }
  od
}

proctype resolver() {
  bool late;
end_idle:
  do
  :: atomic { st == INDOUBT && made[open] -> accept(open) }                      /* found */
#ifdef GRACE
  :: atomic { st == INDOUBT && !made[open] && !wire[open] ->
#else
  :: atomic { st == INDOUBT && !made[open] ->
#endif
       at[open] = ABSENT;
       if
       :: n < MOST -> again(open)
       :: n >= MOST -> st = UNKNOWN
       fi }
  od
}

inline ended(i) {
  accept(i); folded[i] = true;
  if
  :: open == i && (st == SENDING || st == INDOUBT || st == ACCEPTED) ->
       if :: n < MOST -> again(i) :: st = DONE fi
#ifndef M_UNKNOWN
  :: open == i && st == UNKNOWN -> st = DONE
#endif
  :: else
  fi
}

proctype callbacks() {
  bool late;
end_idle:
  do
  :: atomic { made[1] && at[1] != TAKEN -> accept(1) }
  :: atomic { made[2] && at[2] != TAKEN -> accept(2) }
  :: atomic { made[3] && at[3] != TAKEN -> accept(3) }
  :: atomic { over[1] && !folded[1] -> ended(1) }
  :: atomic { over[2] && !folded[2] -> ended(2) }
  :: atomic { over[3] && !folded[3] -> ended(3) }
  od
}

proctype cancel() {
end_idle:
  atomic { (st == WAITING || st == QUEUED) -> st = CANCELLED; open = 0 }
}

proctype quiet() {
  timeout -> atomic {
    assert(lost || FINAL);
    assert(lost || !((made[1] || made[2] || made[3]) && st == UNKNOWN && open > 0 && made[open]));
    assert(lost || !missed);
    assert(brake || !(twice && !marked[2]));
    assert(innocent || !(marked[2] && !(made[1] && made[2] && after[1]) || marked[1])) }
}

init { atomic { run dispatcher(); run provider(); run resolver(); run callbacks();
#ifdef CANCEL
  run cancel();
#endif
  run quiet() } }
