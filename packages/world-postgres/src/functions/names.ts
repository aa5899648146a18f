/**
 * Names in the functions of the database. Whoever touches several names locks them in the order of the names, and after the
 * rows of runs, so that nobody waits in a circle.
 */
import type { Tables } from "../tables.ts";

/** The time from which a name is free that is its run's until the run is deleted. */
const NEVER = "9223372036854775807";

/** Whether the name in the row `n` is held at a time. */
export function isHeld(now: string): string {
  return `(n.free_from IS NULL OR n.free_from > ${now})`;
}

/** From when the name in the row `n` is free, its run having ended at a time. */
function freeFrom(completed: string): string {
  return `CASE WHEN n.keep_for IS NULL THEN ${NEVER} WHEN n.keep_for = 0 THEN n.free_at
      ELSE greatest(n.free_at, coalesce(${completed}, 0) + n.keep_for) END`;
}

/** Part of a function: begins the times of names whose run ends, or removes them where none is to come. */
export function endNames({ names }: Tables, which: string, completed: string): string {
  return `DELETE FROM ${names} n WHERE ${which} AND n.keep_for = 0 AND n.free_at <= v_now;
    UPDATE ${names} n SET free_from = ${freeFrom(completed)} WHERE ${which} AND n.free_from IS NULL;`;
}

/** Part of a function: locks the names that fit a condition. */
export function lockNames({ names }: Tables, which: string): string {
  return `PERFORM FROM ${names} n WHERE ${which} ORDER BY n.name FOR UPDATE;`;
}

/** What `p_names` of a commit says, as rows `a`: see `acts.ts`. */
const ACTS = `jsonb_to_recordset(p_names) AS a(commit int, event int, kind text, name text, id text, fingerprint text,
      keep_for bigint, free_at bigint, refused_as text, start int, length int)`;

/**
 * Part of `commit_1`: what the batch does to names. Acts on one name follow one another in the order of the batch; those on
 * different names have nothing to do with each other, so all are done in the order of the names. `v_ending` has the places
 * of the commits that end a run which has names.
 */
export function actOnNames(tables: Tables): string {
  const { names, runs } = tables;
  return `
  IF p_names IS NOT NULL OR v_ending IS NOT NULL THEN
    FOR v_row IN
      SELECT a.commit, a.event, a.kind, coalesce(a.name, n.name) COLLATE "C" AS name, a.id, a.fingerprint, a.keep_for, a.free_at,
        a.refused_as, a.start, a.length
      FROM ${ACTS}
      -- A name that is released by its id, unless a claim of the same commit says which one it is.
      LEFT JOIN ${names} n ON a.name IS NULL AND n.run = v_ids[a.commit] AND n.id = a.id
      WHERE v_ids[a.commit] <> 0 AND coalesce(a.name, n.name) IS NOT NULL
      UNION ALL
      SELECT c.commit, NULL, 'end', n.name, NULL, NULL, NULL, NULL, NULL, NULL, NULL
      FROM unnest(v_ending) AS c(commit) JOIN ${names} n ON n.run = v_ids[c.commit]
      ORDER BY name, commit, event NULLS LAST
    LOOP
      v_id := v_ids[v_row.commit];
      CASE v_row.kind
        WHEN 'claim' THEN
          INSERT INTO ${names} AS n (name, run, id, created_at, keep_for, free_at, fingerprint, data)
          VALUES (v_row.name, v_id, v_row.id, p_event_ats[v_row.event], v_row.keep_for, v_row.free_at, v_row.fingerprint,
            CASE WHEN v_row.length >= 0 THEN substr(p_bytes, v_row.start, v_row.length) END)
          ON CONFLICT (name) DO UPDATE SET run = excluded.run, id = excluded.id, created_at = excluded.created_at,
            keep_for = excluded.keep_for, free_at = excluded.free_at, free_from = NULL,
            fingerprint = excluded.fingerprint, data = excluded.data
          WHERE NOT ${isHeld("v_now")};
          IF FOUND THEN
            v_named := v_named || v_id;
          ELSE
            -- The name is locked now, so it stays with its holder.
            IF v_holders IS NULL THEN
              v_holders := array_fill(NULL::text, ARRAY[cardinality(p_event_seqs)]);
              v_refused := v_holders;
            END IF;
            v_holders[v_row.event] := (
              SELECT r.run_id FROM ${names} n JOIN ${runs} r ON r.id = n.run WHERE n.name = v_row.name
            );
            v_refused[v_row.event] := v_row.refused_as;
          END IF;
        WHEN 'release' THEN
          DELETE FROM ${names} n WHERE n.name = v_row.name AND n.run = v_id AND n.id = v_row.id;
        WHEN 'end' THEN
          ${endNames(tables, "n.name = v_row.name AND n.run = v_id", "p_completed[v_row.commit]")}
      END CASE;
    END LOOP;
  END IF;`;
}
