/* The claim side of the protocol: one run, N jobs, 2 workers, a provider WITHOUT idempotency.
   claims.py, intents.py, records.py, controls.py, cancelling.py, runs.py of outbound.

   A short transaction is one atomic step.  Between two steps a worker may be killed or stall for ever.

   Size    N jobs (2; APPEND: the last one is appended while the run lives)   MAXCRASH kill -9 of a worker (1)
           MAXEXP   leases that run out under a LIVE worker (1; those of dead workers always run out)
           MAXBACK  moves back to waiting: deferral, 429, not sent (1)  C claim slots (N+1, reused when unreferenced)
   Policy  RESEND   when_absent = resend (default never), at most 2 attempts    NOGRACE  absent concluded without the grace
           CTL      0 none, 1 cancel (default), 2 pause then resume or cancel
           PASSES   the closer as cancelling.py has it: one pass over seq (chunks of 1), then only what waits;
                    the end asks for the pass, open claims and work that is not `queued` (default: any order, all states)
           ENDERS   two processes look for the end of a cancelled run
   Mutants, each must FAIL
     M_CARVE     carve does not hold the gate (reads the run, carves later)
     M_DUEGATE   the same for the due claim
     M_TAKEGATE  the same for the take-over
     M_DUE       old design: due work without a claim row and without a token
     M_SENDING   take-over treats `sending` as still to be sent
     M_TOKEN     intent does not check the token
     M_CLAIMID   a range claim takes every job of its seq range, whatever its claim_id
     M_NULLDUE   deferral keeps claim_id, due claims pick only rows without one
     M_COMPLETE  completion is checked, then written, without the gate
     M_KIND      cancel and pause bump the tokens of range claims only
     M_PAUSETAKE a take-over in a paused or cancelling run leaves its taker with a token good for intents
     M_RECORD    a decision is fenced by the claim's token alone (attempt not compared)
     M_ONEPASS   the jobs of a cancelled run are closed in one pass over seq
     M_ENDPASS   (PASSES) the end does not ask whether the pass is over
     M_CLOSEALL  (PASSES) the end closes every open claim, whatever it holds
     M_ENDGATE   (ENDERS) the end is checked, then written, without the gate
     M_FINAL     the run becomes cancelled when nothing is in flight, jobs still to be closed; append refused only when final
   NOOWN switches the oracle `own` off.
   Not a mutant (must PASS): K_DEFER  deferral keeps claim_id, due claims overwrite it

   Oracles   I1 calls[j] <= 1                        I4 an intent commits only while the run is running
             own  a take-over doubts, an intent moves, only jobs of its own claim (ghost gc)
             fin  no job leaves a final state but unknown -> done; completed/cancelled only with all jobs final
             once a run is said to be cancelled once
             stuck (I2/I3) when nothing can move: run final, all jobs final, no claim open, no called job left cancelled (process quiet) */
#ifdef NOOWN
#define OWN(x) skip
#else
#define OWN(x) assert(own || (x))
#endif
#ifndef N
#define N 2
#endif
#ifndef C
#define C 3
#endif
#ifndef MAXCRASH
#define MAXCRASH 1
#endif
#ifndef MAXEXP
#define MAXEXP 1
#endif
#ifdef APPEND
#define TOTAL (N - 1)
#else
#define TOTAL N
#endif
#ifndef MAXBACK
#define MAXBACK 1
#endif
#ifndef CTL
#define CTL 1
#endif

mtype = { QUEUED, SENDING, INDOUBT, WAITING, ACCEPTED, DONE, CANCELLED, UNKNOWN };   /* job */
mtype = { RUNNING, PAUSED, CANCELLING, RCANCELLED, COMPLETED };                      /* run */

mtype rs = RUNNING;  byte next = 0;  byte total = TOTAL;         /* run, cursor */
mtype st[N] = QUEUED; byte cid[N]; byte att[N]; byte calls[N];   /* job: state, claim_id (0 null), attempt no., accepted requests */
byte gc[N];                                                     /* ghost: claim whose intent moved it */
bool open[C+1]; bool due[C+1]; byte lo[C+1]; byte hi[C+1]; byte tok[C+1];   /* claim 1..C; range lo..hi-1 */
byte cur[2]; byte my[2]; byte jb[2]; byte infl[2]; bool late[2]; /* worker: claim, token, job, attempt in flight, deadline passed */
byte crashes = 0; byte exps = 0; byte backs = 0; byte scan = 0;
hidden byte I1; hidden byte I4; hidden byte own; hidden byte fin; hidden byte once; hidden byte stuck;   /* always 0: names in assertions */

#define UNCLAIM(x) cid[x] = 0; gc[x] = 0
#define SHUT(x)    open[x] = false; due[x] = false; lo[x] = 0; hi[x] = 0; tok[x] = 0
#define FINAL(j)   (st[j] == DONE || st[j] == CANCELLED || st[j] == UNKNOWN)
#define INRANGE(c,j) (!due[c] && lo[c] <= j && j < hi[c])
#ifdef M_CLAIMID
#define BELONGS(c,j) (open[c] && (cid[j] == c || INRANGE(c,j)))
#else
#define BELONGS(c,j) (open[c] && (cid[j] == c || (cid[j] == 0 && st[j] == QUEUED && INRANGE(c,j))))
#endif
#define ISQ(c,j)   (j < total && st[j] == QUEUED && BELONGS(c,j))
#define ISS(c,j)   (j < total && st[j] == SENDING && BELONGS(c,j))
#define HELD(c)    ((cur[0] == c && my[0] == tok[c]) || (cur[1] == c && my[1] == tok[c]))
#if N == 3
#define ANYQ(c)    (ISQ(c,0) || ISQ(c,1) || ISQ(c,2))
#define ANYS(c)    (ISS(c,0) || ISS(c,1) || ISS(c,2))
#define ALLFINAL   (FINAL(0) && (total < 2 || FINAL(1)) && (total < 3 || FINAL(2)))
#define FLY(j)     (st[j] == SENDING || st[j] == INDOUBT || st[j] == ACCEPTED)
#define NOFLY      (!FLY(0) && !FLY(1) && !FLY(2))
#define USED(c)    (open[c] || cur[0] == c || cur[1] == c || cid[0] == c || cid[1] == c || cid[2] == c)
#define PICKJ(x,G) if :: G(0) -> x = 0 :: G(1) -> x = 1 :: G(2) -> x = 2 fi
#else
#define ANYQ(c)    (ISQ(c,0) || ISQ(c,1))
#define ANYS(c)    (ISS(c,0) || ISS(c,1))
#define ALLFINAL   (FINAL(0) && (total < 2 || FINAL(1)))
#define FLY(j)     (st[j] == SENDING || st[j] == INDOUBT || st[j] == ACCEPTED)
#define NOFLY      (!FLY(0) && !FLY(1))
#define USED(c)    (open[c] || cur[0] == c || cur[1] == c || cid[0] == c || cid[1] == c)
#define PICKJ(x,G) if :: G(0) -> x = 0 :: G(1) -> x = 1 fi        /* blocks when no job fits */
#endif
#if C == 4
#define PICKC(x,G) if :: G(1) -> x = 1 :: G(2) -> x = 2 :: G(3) -> x = 3 :: G(4) -> x = 4 fi
#define HASFREE    (!USED(1) || !USED(2) || !USED(3) || !USED(4))
#define ANYOPEN    (open[1] || open[2] || open[3] || open[4])
#define FREE(x)    if :: !USED(1) -> x = 1 :: else -> if :: !USED(2) -> x = 2 :: else -> if :: !USED(3) -> x = 3 :: else -> x = 4 fi fi fi
#else
#define PICKC(x,G) if :: G(1) -> x = 1 :: G(2) -> x = 2 :: G(3) -> x = 3 fi
#define HASFREE    (!USED(1) || !USED(2) || !USED(3))
#define ANYOPEN    (open[1] || open[2] || open[3])
#define FREE(x)    if :: !USED(1) -> x = 1 :: else -> if :: !USED(2) -> x = 2 :: else -> x = 3 fi fi
#endif
#if defined(K_DEFER) || defined(M_NULLDUE)
#define CLEAR(j)   skip
#else
#define CLEAR(j)   UNCLAIM(j)
#endif
#ifdef M_NULLDUE
#define DUEOK(j)   (j < total && st[j] == WAITING && cid[j] == 0)
#else
#define DUEOK(j)   (j < total && st[j] == WAITING)
#endif
#define OWNS       (open[c] && tok[c] == my[w])
#ifdef M_TOKEN
#define MAYSEND    true
#else
#define MAYSEND    OWNS
#endif
#define FORGET     cur[w] = 0; my[w] = 0; jb[w] = 0; infl[w] = 0; late[w] = false; c = 0; j = 0; r = 0
#define KILL       atomic { crashes < MAXCRASH -> crashes++; FORGET; goto again }
#define TAKEABLE(c) (open[c] && (!HELD(c) || exps < MAXEXP))

/* The end of a cancelled run. */
#ifdef PASSES
#ifdef M_ENDPASS
#define PASSED     true
#else
#define PASSED     (scan == total)
#endif
#define WAITS(j)   (j < total && st[j] == WAITING)
#define ENDABLE    (rs == CANCELLING && PASSED && !ANYOPEN && NOFLY && !WAITS(0) && !WAITS(1))
#define END        rs = RCANCELLED; assert(fin || ALLFINAL)
#else
#define ENDABLE    (rs == CANCELLING && !ANYOPEN && ALLFINAL)
#define END        rs = RCANCELLED
#endif
#ifdef ENDERS
byte said = 0;
#endif

/* guards of the nondeterministic picks (w, c: the caller's) */
#define G_DUE(j)    (rs == RUNNING && DUEOK(j))
#define G_DUEF(j)   (rs == RUNNING && DUEOK(j) && HASFREE)
#define G_TAKE(c)   (rs == RUNNING && TAKEABLE(c))
#define G_DOUBT(c)  ((rs == PAUSED || rs == CANCELLING) && TAKEABLE(c) && ANYS(c))
#ifdef M_CLOSEALL
#define G_CLOSEC(c) (open[c] && rs == CANCELLING)
#else
#define G_CLOSEC(c) (open[c] && !HELD(c) && !ANYQ(c) && !ANYS(c))
#endif
#define G_INTENT(j) (MAYSEND && ISQ(c,j))
#define G_DEFER(j)  (OWNS && ISQ(c,j) && backs < MAXBACK)
#define G_CALLBACK(j) (st[j] == ACCEPTED || (calls[j] > 0 && (st[j] == SENDING || st[j] == INDOUBT || st[j] == UNKNOWN)))
#define G_INDOUBT(j) (st[j] == INDOUBT)
#define G_CLOSEW(j) (rs == CANCELLING && scan == total && j < total && st[j] == WAITING)
#define G_CLOSEJ(j) (rs == CANCELLING && j < total && (st[j] == QUEUED || st[j] == WAITING))

/* A lease ran out (or the claim has no owner): token + 1; what is sending there is in doubt. */
inline takeover(c) {
  if :: HELD(c) -> exps++ :: else fi;
  tok[c]++;
  k = 0;
  do
  :: k < N -> if
     :: ISS(c,k) -> OWN(gc[k] == c);                                          /* own */
#ifdef M_SENDING
        st[k] = QUEUED
#else
        st[k] = INDOUBT; UNCLAIM(k)
#endif
     :: else fi; k++
  :: else -> k = 0; break
  od
}

proctype worker(byte w) {
  byte c, j, k; byte r;          /* r: 0 no answer, 1 accepted, 2 rejected for good, 3 not sent or 429 */
again:
end_idle:
  if
  /* carve: gate, re-read the run, advance the cursor, insert the claim; no job row is written */
#ifdef M_CARVE
  :: atomic { rs == RUNNING && next < total -> skip };
     atomic { if :: next < total && HASFREE -> skip :: else -> goto again fi;
#else
  :: atomic { rs == RUNNING && next < total && HASFREE ->
#endif
       FREE(c); open[c] = true; due[c] = false; lo[c] = next; tok[c] = 1;
       if :: next++ :: next = total fi; hi[c] = next; cur[w] = c; my[w] = 1; goto work }
  /* due claim: gate, insert the claim, claim_id and queued on a due row */
#ifdef M_DUE
  :: atomic { PICKJ(j, G_DUE); st[j] = QUEUED; UNCLAIM(j) };
     if
     :: KILL
     :: atomic { if :: st[j] == QUEUED -> skip :: else -> j = 0; goto again fi;
          assert(I4 || rs == RUNNING); st[j] = SENDING; att[j]++; infl[w] = att[j]; jb[w] = j; goto send }
     fi
#else
#ifdef M_DUEGATE
  :: atomic { PICKJ(j, G_DUE) };
     atomic { if :: DUEOK(j) && HASFREE -> skip :: else -> j = 0; goto again fi;
#else
  :: atomic { PICKJ(j, G_DUEF);
#endif
       FREE(c); open[c] = true; due[c] = true; lo[c] = 0; hi[c] = 0; tok[c] = 1;
       st[j] = QUEUED; cid[j] = c; j = 0; cur[w] = c; my[w] = 1; goto work }
#endif
  /* take-over in a running run (of an expired claim, or one without an owner) */
#ifdef M_TAKEGATE
  :: atomic { PICKC(c, G_TAKE) };
     atomic { if :: TAKEABLE(c) -> skip :: else -> c = 0; goto again fi;
#else
  :: atomic { PICKC(c, G_TAKE);
#endif
       takeover(c); cur[w] = c; my[w] = tok[c]; goto work }
#ifdef M_PAUSETAKE
  :: atomic { PICKC(c, G_DOUBT); takeover(c); cur[w] = c; my[w] = tok[c]; goto work }
#endif
  fi;
work:
  if
  :: KILL
  :: atomic { !OWNS && !(MAYSEND && ANYQ(c)) -> FORGET; goto again }             /* the right to send is lost: stop */
  :: atomic { PICKJ(j, G_INTENT);                                  /* intent */
       assert(I4 || rs == RUNNING);                                                    /* I4 */
       OWN(cid[j] == 0 || cid[j] == c);                                       /* own */
       st[j] = SENDING; cid[j] = c; gc[j] = c; att[j]++; infl[w] = att[j]; jb[w] = j; late[w] = false; goto send }
  :: atomic { PICKJ(j, G_DEFER); backs++; st[j] = WAITING; CLEAR(j); j = 0; goto work }  /* deferral */
  :: atomic { OWNS && !ANYQ(c) && !ANYS(c) -> SHUT(c); FORGET; goto again }                                   /* close */
  fi;
send:                                                                            /* a stall of any length may sit here */
  if
  :: KILL
  :: atomic { late[w] -> r = 3; goto record }                                    /* own deadline: the last byte is withheld */
  :: atomic { !late[w] ->
       if :: calls[j]++; r = 1 :: calls[j]++; r = 0 :: r = 0 :: r = 2 :: backs < MAXBACK -> backs++; r = 3 fi;
       assert(I1 || calls[j] <= 1); goto record }                                      /* I1 */
  fi;
record:
  if
  :: KILL
  :: atomic {
       if
       :: r == 1 && att[j] == infl[w] ->                                         /* a fact: not fenced by the claim */
            if :: st[j] == SENDING || st[j] == INDOUBT -> st[j] = ACCEPTED; UNCLAIM(j)
               :: st[j] == UNKNOWN -> st[j] = DONE
               :: else fi
#ifdef M_RECORD
       :: r != 1 && OWNS ->
#else
       :: r != 1 && att[j] == infl[w] && (st[j] == SENDING || st[j] == INDOUBT) ->  /* a decision: the attempt is the open one */
#endif
            assert(fin || !FINAL(j));                                                   /* fin */
            if :: r == 0 -> st[j] = INDOUBT; UNCLAIM(j)
               :: r == 2 -> st[j] = DONE; UNCLAIM(j)
               :: r == 3 -> st[j] = WAITING; CLEAR(j) fi
       :: else fi;
       j = 0; r = 0; jb[w] = 0; infl[w] = 0; late[w] = false;
       if :: c == 0 -> goto again :: else -> goto work fi }
  fi
}

/* callbacks and polls, the resolver, the closer, the sweeper; each option is one transaction */
proctype system() {
  byte j, k, c;
end_sys:
  do
  :: atomic { PICKJ(j, G_CALLBACK);
       st[j] = DONE; UNCLAIM(j); j = 0 }                                         /* final callback */
  :: atomic { PICKJ(j, G_INDOUBT);                                     /* resolver, after the grace */
#ifndef NOGRACE
       k = 0; do :: k < 2 -> if :: infl[k] == att[j] && jb[k] == j && infl[k] > 0 -> late[k] = true :: else fi; k++ :: else -> k = 0; break od;
#endif
       if :: calls[j] > 0 -> st[j] = ACCEPTED
          :: else ->
#ifdef RESEND
             if :: att[j] < 2 -> st[j] = WAITING :: else -> st[j] = UNKNOWN fi
#else
             st[j] = UNKNOWN
#endif
       fi; j = 0 }
#if defined(M_ONEPASS) || defined(PASSES)
  :: atomic { rs == CANCELLING && scan < total ->
       if :: st[scan] == QUEUED || st[scan] == WAITING -> st[scan] = CANCELLED; UNCLAIM(scan) :: else fi; scan++ }
#ifndef M_ONEPASS
  :: atomic { PICKJ(j, G_CLOSEW); st[j] = CANCELLED; UNCLAIM(j); j = 0 }         /* what a late refusal brought back */
#endif
#else
  :: atomic { PICKJ(j, G_CLOSEJ); st[j] = CANCELLED; UNCLAIM(j); j = 0 }
#endif
  :: atomic { PICKC(c, G_DOUBT); takeover(c); c = 0 }   /* only to doubt: no owner */
  :: atomic { PICKC(c, G_CLOSEC); SHUT(c); c = 0 }                /* close an ownerless claim */
#ifdef M_COMPLETE
  :: atomic { (rs == RUNNING || rs == PAUSED) && next == total && !ANYOPEN && ALLFINAL -> skip };
     atomic { rs = COMPLETED; assert(fin || (ALLFINAL && next == total)) }
#else
  :: atomic { (rs == RUNNING || rs == PAUSED) && next == total && !ANYOPEN && ALLFINAL -> rs = COMPLETED }
#endif
#ifdef M_FINAL
  :: atomic { rs == CANCELLING && NOFLY -> rs = RCANCELLED; assert(fin || ALLFINAL) }
#else
#ifndef ENDERS
  :: atomic { ENDABLE -> END }
#endif
#endif
  od
}

#ifdef ENDERS
proctype ender() {   /* one of the processes that look for the end of a cancelled run */
end_ender:
  do
#ifdef M_ENDGATE
  :: atomic { ENDABLE -> skip };
     atomic { END; said++; assert(once || said <= 1) }
#else
  :: atomic { ENDABLE -> END; said++; assert(once || said <= 1) }
#endif
  od
}
#endif

inline bump() {      /* token + 1 on the open claims of both kinds */
  k = 1;
  do
#ifdef M_KIND
  :: k <= C -> if :: open[k] && !due[k] -> tok[k]++ :: else fi; k++
#else
  :: k <= C -> if :: open[k] -> tok[k]++ :: else fi; k++
#endif
  :: else -> k = 0; break
  od
}

proctype control() {
#if CTL == 1
  byte k;
  atomic { if :: rs == RUNNING -> rs = CANCELLING; bump() :: else fi }
#endif
#if CTL == 2
  byte k;
  atomic { if :: rs == RUNNING -> rs = PAUSED; bump() :: else fi };
  atomic {
    if
    :: rs == PAUSED -> rs = RUNNING                            /* resume: claims lie open without an owner */
    :: rs == PAUSED -> rs = CANCELLING; bump()
    :: rs != PAUSED -> skip
    fi }
#endif
  skip
}

proctype append() {  /* contacts added later: under the gate, append seq and raise total together */
#ifdef M_FINAL
  atomic { if :: rs != COMPLETED && rs != RCANCELLED -> total++ :: else fi }
#else
  atomic { if :: rs == RUNNING || rs == PAUSED -> total++ :: else fi }
#endif
}

proctype quiet() {
  byte k;
  timeout -> atomic {
    assert(stuck || rs == COMPLETED || rs == RCANCELLED);
    assert(stuck || (ALLFINAL && !ANYOPEN));
    do :: k < N -> assert(stuck || !(st[k] == CANCELLED && calls[k] > 0)); k++ :: else -> break od }
}

init { atomic { run worker(0); run worker(1); run system(); run control(); 
#ifdef APPEND
  run append();
#endif
#ifdef ENDERS
  run ender(); run ender();
#endif
  run quiet() } }
