/** The database's side of `writeRecords`: look at each record under its lock, write it, sweep. */
import type { Tables } from "../tables.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE, storeNow } from "./clauses.ts";

/**
 * `write_records_1`. Answers for each write whether it is in, and if not, the record that is there, if there is one. Sweeps
 * at most `p_sweep` records.
 */
export function writeRecordsFunction({ functions, records }: Tables): string {
  return `
CREATE FUNCTION ${functions.writeRecords}(
  p_wait int, p_now bigint, p_sweep int, p_keys text[], p_write_ids text[], p_if_versions text[], p_ttls bigint[],
  p_offsets int[], p_lengths int[], p_bytes bytea
) RETURNS TABLE (place int, written boolean, version text, value bytea, ttl bigint)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_write record;
  v_row record;
  v_live boolean;
BEGIN${LIMIT_WAITS}
  FOR v_write IN
    SELECT c.* FROM unnest(p_keys, p_write_ids, p_if_versions, p_ttls, p_offsets, p_lengths)
      WITH ORDINALITY AS c(key, write_id, if_version, ttl, start, length, place)
    ORDER BY c.key COLLATE "C", c.place
  LOOP
    place := v_write.place;
    LOOP
      SELECT r.version, r.value, r.expires_at INTO v_row FROM ${records} r WHERE r.key = v_write.key
      FOR NO KEY UPDATE;
      -- Now that the lock is held: the record may have expired while another writer had it.
      v_now := ${storeNow("p_now")};
      v_live := FOUND AND (v_row.expires_at IS NULL OR v_row.expires_at > v_now);
      written := v_live AND v_row.version = v_write.write_id;
      EXIT WHEN written OR v_write.if_version IS DISTINCT FROM CASE WHEN v_live THEN v_row.version END;
      INSERT INTO ${records} AS r (key, version, value, expires_at)
      VALUES (v_write.key, v_write.write_id, substr(p_bytes, v_write.start, v_write.length), v_now + v_write.ttl)
      ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value, expires_at = excluded.expires_at
      -- Somebody may have made the record where there was none to lock.
      WHERE v_row.version IS NOT DISTINCT FROM r.version;
      written := FOUND;
      EXIT WHEN written;
    END LOOP;
    version := CASE WHEN v_live AND NOT written THEN v_row.version END;
    value := CASE WHEN v_live AND NOT written THEN v_row.value END;
    ttl := CASE WHEN v_live AND NOT written THEN v_row.expires_at - v_now END;
    RETURN NEXT;
  END LOOP;

  -- By the last write's time: an index is not searched by a clock. It waits for no lock, so it closes no circle of waiting.
  DELETE FROM ${records} d WHERE d.key = ANY (ARRAY(
    SELECT r.key FROM ${records} r WHERE r.expires_at IS NOT NULL AND r.expires_at <= v_now
    ORDER BY r.expires_at LIMIT p_sweep
    FOR UPDATE SKIP LOCKED
  ));${REFUSE_LATE}
END $$;`;
}
