/** What a batch changes of rows now and then: their queue, attributes and state. */
import type { Tables } from "../tables.ts";

/**
 * Part of a function: does what `p_changes` says, a JSON array of objects that name their row by its place in `v_ids`. It is
 * NULL where nothing changes, which costs nothing. `keys` is there where attributes are set; `length` where the state is, -1
 * for NULL.
 */
export function changeRows({ runs, attributes }: Tables): string {
  const changes =
    "jsonb_to_recordset(p_changes) AS c(place int, queue text, attributes text, keys text[], start int, length int)";
  return `
  IF p_changes IS NOT NULL THEN
    UPDATE ${runs} r SET
      queue = coalesce(c.queue, r.queue),
      attributes = CASE WHEN c.keys IS NULL THEN r.attributes ELSE c.attributes END,
      state = CASE WHEN c.length IS NULL THEN r.state WHEN c.length >= 0 THEN substr(p_bytes, c.start, c.length) END
    FROM ${changes} WHERE r.id = v_ids[c.place];
    DELETE FROM ${attributes} a USING ${changes} WHERE c.keys IS NOT NULL AND a.run = v_ids[c.place];
    INSERT INTO ${attributes} (key, run)
    SELECT k.key, r.id FROM ${changes} JOIN ${runs} r ON r.id = v_ids[c.place] CROSS JOIN unnest(c.keys) AS k(key);
  END IF;`;
}
