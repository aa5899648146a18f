/**
 * What the functions in the database have in common. The first parameter of each is `p_wait`: how many milliseconds the call
 * may take. It is NULL where the session's own `statement_timeout` says so.
 */

/**
 * The settings that every function runs with. They leave the planner one choice: each row is found by an index, whether
 * a table has ten rows or ten million, and the plan of the first call is the plan of all.
 */
export const FUNCTION_SETTINGS: string = `
  SET plan_cache_mode = force_generic_plan
  SET enable_seqscan = off
  SET enable_bitmapscan = off
  SET enable_hashjoin = off
  SET enable_mergejoin = off
  SET jit = off`;

/** {@link FUNCTION_SETTINGS} for a function that joins nothing: each setting costs every call a microsecond or two. */
export const SETTINGS_WITHOUT_JOINS: string = `
  SET plan_cache_mode = force_generic_plan
  SET enable_seqscan = off
  SET enable_bitmapscan = off`;

/** After which a run does not change any more, but for the work that it has left. */
export const ENDED: string = "IN ('completed', 'failed', 'cancelled')";

/** The time by which leases are judged: the caller's where it gives one, else this server's. */
export function storeNow(callers: string): string {
  return `coalesce(${callers}, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)`;
}

/**
 * When a lease of this length runs out. By the server's clock the end is rounded up, by a sixteenth of the lease at the
 * most: then most commits of a run leave the indexed `due_at` as it is, and Postgres rewrites no index entry for them.
 * By the caller's clock it is exact.
 */
export function leaseEnd(ttl: string): string {
  const unit = `greatest(${ttl} / 16, 1)`;
  return `CASE WHEN p_now IS NULL THEN ((v_now + ${ttl}) / ${unit} + 1) * ${unit} ELSE v_now + ${ttl} END`;
}

/** Begins a function: nobody waits for a lock for longer than the call may take. */
export const LIMIT_WAITS: string = `
  IF p_wait IS NOT NULL THEN PERFORM set_config('lock_timeout', p_wait::text, true); END IF;`;

/** Ends a function: a call that took longer was given up by its caller, and must not write any more. */
export const REFUSE_LATE: string = `
  IF p_wait IS NOT NULL AND clock_timestamp() > statement_timestamp() + p_wait * interval '1 millisecond' THEN
    RAISE EXCEPTION 'the call took longer than it may' USING ERRCODE = 'query_canceled';
  END IF;`;
