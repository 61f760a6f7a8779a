/* One job, W workers, a provider WITHOUT idempotency keys: why an intent is written before a request.

   INTENT write SENDING (attempt row) before the request     FENCE  token (epoch) in every UPDATE
   RETRY  in doubt and the provider says absent -> READY     GRACE  "absent" is concluded only once a late send is impossible
   Mutant, must FAIL:  M_GUESS  a lost answer is taken for an acceptance
   Oracles  I1 calls <= 1     lost  no job is done without a call */
#define W 2
#define MAXCRASH 2
#define MAXE 6
mtype = { READY, CLAIMED, SENDING, INDOUBT, DONE, UNKNOWN };
mtype st = READY; byte epoch = 0; byte calls = 0; byte crashes = 0; bool inflight[W];
hidden byte I1; hidden byte lost;    /* always 0: an oracle is named in the assertion that fails */
#ifdef FENCE
#define OWN (epoch == my)
#else
#define OWN true
#endif
#define KILL  if :: skip :: (crashes < MAXCRASH) -> crashes++; inflight[w] = false; goto next fi

proctype worker(byte w) {
  byte my; byte r;                       /* r: 0 no answer, 1 accepted, 2 definitely rejected */
again:
  atomic {                               /* claim: fresh, or the lease ran out (at any time: pause, kill -9, skew) */
    (st != INDOUBT);
    if :: (st == DONE || st == UNKNOWN) -> goto out :: else fi;
    if :: (epoch >= MAXE) -> st = UNKNOWN; goto out :: else fi;      /* cap: surfaced, not looping for ever */
    epoch++; my = epoch;
    if
#ifdef INTENT
    :: (st == SENDING) -> st = INDOUBT; goto next                    /* a dead worker's attempt is never re-sent, it is resolved */
#endif
    :: else -> st = CLAIMED
    fi }
  KILL;
#ifdef INTENT
  atomic { if :: (OWN && st == CLAIMED) -> st = SENDING; inflight[w] = true :: else -> goto next fi }
#else
  inflight[w] = true;
#endif
  KILL;                                  /* and a pause of any length may sit here */
  atomic {
#ifdef GRACE
    if :: !inflight[w] -> goto next :: else fi;                      /* own send deadline passed */
#endif
    inflight[w] = false;
    if :: calls++; r = 1 :: calls++; r = 0 :: r = 0 :: r = 2 fi;     /* accepted / accepted, answer lost / lost / rejected */
    assert(I1 || calls <= 1) }                 /* never twice for the same job */
  KILL;
  atomic { if
    :: (r == 1 && OWN && (st == SENDING || st == CLAIMED)) -> st = DONE
    :: (r == 2 && OWN && (st == SENDING || st == CLAIMED)) -> st = READY
#ifdef M_GUESS
    :: (r == 0 && OWN && st == SENDING) -> st = DONE
#else
    :: (r == 0 && OWN && st == SENDING) -> st = INDOUBT
#endif
    :: else fi }
next:
  if :: (st == DONE || st == UNKNOWN) -> goto out
     :: (st == READY || st == CLAIMED || st == SENDING) -> goto again fi;
out: assert(lost || !(st == DONE && calls == 0)) /* never lost */
}
proctype resolver() {
  do
  :: atomic { st == INDOUBT ->
#ifdef GRACE
       inflight[0] = false; inflight[1] = false;
#endif
       epoch++;
       if :: (calls > 0) -> st = DONE
          :: else ->
#ifdef RETRY
             st = READY
#else
             st = UNKNOWN
#endif
       fi }
  :: (st == DONE || st == UNKNOWN) -> break
  od }
init { atomic { run worker(0); run worker(1); run resolver() } }
