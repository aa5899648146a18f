/** The database's side of `writeRecords`: look at each record under its lock, write it, sweep. */
import type { RecordWrite } from "@perdure/core/world";
import type { Place } from "../packing.ts";
import { column, type Parameters, rowsOf, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored, toStoredOrNull } from "../text.ts";
import { FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE, storeNow } from "./clauses.ts";

/** A batch of writes as it is sent. */
export interface WriteCall {
  /** The caller's time, where it counts. */
  readonly now: number | null;
  /** At most so many records that have expired are removed. */
  readonly sweep: number;
  readonly writes: readonly { readonly write: RecordWrite; readonly value: Place }[];
  readonly bytes: Uint8Array;
}

const writes = (call: WriteCall) => call.writes;

/** The parameters of `write_records_1`. */
export const WRITE_RECORDS: Parameters<WriteCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_sweep: value("int", ({ sweep }) => sweep),
  p_keys: column("text", writes, ({ write }) => toStored(write.key)),
  p_write_ids: column("text", writes, ({ write }) => toStored(write.writeId)),
  p_if_versions: column("text", writes, ({ write }) => toStoredOrNull(write.ifVersion)),
  p_ttls: column("bigint", writes, ({ write }) => write.ttl),
  p_offsets: column("int", writes, (sent) => sent.value.start),
  p_lengths: column("int", writes, (sent) => sent.value.length),
  p_bytes: value("bytea", ({ bytes }) => bytes),
};

/**
 * `write_records_1`. Answers for each write whether it is in, and if not, the record that is there, if there is one. Sweeps
 * at most `p_sweep` records.
 */
export function writeRecordsFunction({ functions, records }: Tables): string {
  return `
CREATE FUNCTION ${functions.writeRecords}(${signatureOf(WRITE_RECORDS)}) RETURNS TABLE (place int, written boolean, version text, value bytea, ttl bigint)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint;
  v_write record;
  v_row record;
  v_live boolean;
BEGIN${LIMIT_WAITS}
  FOR v_write IN
    SELECT c.* FROM ${rowsOf("c", {
      ...{ key: "p_keys", write_id: "p_write_ids", if_version: "p_if_versions", ttl: "p_ttls" },
      ...{ start: "p_offsets", length: "p_lengths" },
    })}
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
