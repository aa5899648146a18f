/** What a batch changes of rows now and then: their queue, attributes, state and end mail, and a journal that begins anew. */
import type { Tables } from "../tables.ts";

/** What `p_changes` says, as rows `c`: see `../changes.ts`. */
const CHANGES = `jsonb_to_recordset(p_changes)
      AS c(place int, queue text, attributes text, keys text[], start int, length int, end_done int, restart boolean)`;

/**
 * Part of a function: does what `p_changes` says, a JSON array of objects that name their row by its place in `v_ids`, before
 * the row's `seq` is moved on. It is NULL where nothing changes, which costs nothing. `keys` is there where attributes are
 * set; `length` where the state is, -1 for NULL.
 */
export function changeRows({ runs, attributes }: Tables): string {
  return `
  IF p_changes IS NOT NULL THEN
    UPDATE ${runs} r SET
      queue = coalesce(c.queue, r.queue),
      attributes = CASE WHEN c.keys IS NULL THEN r.attributes ELSE c.attributes END,
      state = CASE WHEN c.length IS NULL THEN r.state WHEN c.length >= 0 THEN substr(p_bytes, c.start, c.length) END,
      end_done = greatest(r.end_done, c.end_done),
      generation = CASE WHEN c.restart THEN r.generation + 1 ELSE r.generation END,
      first_seq = CASE WHEN c.restart THEN r.seq + 1 ELSE r.first_seq END,
      bytes = CASE WHEN c.restart THEN 0 ELSE r.bytes END
    FROM ${CHANGES} WHERE r.id = v_ids[c.place];
    DELETE FROM ${attributes} a USING ${CHANGES} WHERE c.keys IS NOT NULL AND a.run = v_ids[c.place];
    INSERT INTO ${attributes} (key, run)
    SELECT k.key, r.id FROM ${CHANGES} JOIN ${runs} r ON r.id = v_ids[c.place] CROSS JOIN unnest(c.keys) AS k(key);
  END IF;`;
}

// A commit deletes at most so many events, and as many messages, so that it does not wait for long.
const SWEPT_PER_COMMIT = 1_000;

// A consumed message is known as such for so long, in milliseconds: its sender has given up sending it again by then.
const MESSAGES_KNOWN = 7 * 24 * 60 * 60 * 1_000;

/**
 * Part of `commit_1`: deletes events of older generations of the runs in `v_ids`, and consumed messages that nobody sends
 * again; what it leaves is the next commits' to delete. `v_old` tells whether there are any but for what the batch makes old.
 */
export function sweepRows({ runs, events, mail }: Tables): string {
  return `
  IF v_old OR p_changes @> '[{"restart": true}]' THEN
    FOR v_row IN
      SELECT r.id, r.swept_seq, least(r.swept_seq + ${SWEPT_PER_COMMIT}, r.first_seq - 1) AS sweep_to, r.mail_done FROM ${runs} r
      WHERE r.id = ANY (v_ids) AND r.swept_seq < r.first_seq - 1
    LOOP
      DELETE FROM ${events} e WHERE e.run = v_row.id AND e.seq > v_row.swept_seq AND e.seq <= v_row.sweep_to;
      UPDATE ${runs} r SET swept_seq = v_row.sweep_to WHERE r.id = v_row.id;
      -- Of a consumed message, the time is that of its consumption.
      DELETE FROM ${mail} m WHERE m.run = v_row.id AND NOT m.at_end AND m.at < v_now - ${MESSAGES_KNOWN}
        AND m.mail_seq <= (SELECT max(o.mail_seq) FROM (
          SELECT k.mail_seq FROM ${mail} k WHERE k.run = v_row.id AND NOT k.at_end AND k.mail_seq <= v_row.mail_done
          ORDER BY k.mail_seq LIMIT ${SWEPT_PER_COMMIT}
        ) o);
    END LOOP;
  END IF;`;
}
