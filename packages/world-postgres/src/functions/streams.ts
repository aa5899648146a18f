/** The database's side of streams: their tables, and the functions that write them. */
import type { AppendChunks, ReadChunks, StreamAddress } from "@perdure/core/world";
import type { Place } from "../packing.ts";
import { column, type Parameters, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored } from "../text.ts";
import { ENDED, FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE } from "./clauses.ts";

/** The tables of streams in version 1. A chunk names its writer by a number. */
export function createStreamTables({ streams, streamWriters, streamChunks, prefix }: Tables): string {
  const name = (of: string): string => `"${prefix}${of}"`;
  return `
    CREATE TABLE ${streams} (
      id bigint GENERATED ALWAYS AS IDENTITY,
      run bigint NOT NULL,
      name text COLLATE "C" NOT NULL,
      length int NOT NULL,
      closed boolean NOT NULL,
      CONSTRAINT ${name("streams_pkey")} PRIMARY KEY (id),
      CONSTRAINT ${name("streams_name_key")} UNIQUE (run, name)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

    CREATE TABLE ${streamWriters} (
      id bigint GENERATED ALWAYS AS IDENTITY,
      stream bigint NOT NULL,
      name text COLLATE "C" NOT NULL,
      chunks int NOT NULL,
      CONSTRAINT ${name("stream_writers_pkey")} PRIMARY KEY (id),
      CONSTRAINT ${name("stream_writers_name_key")} UNIQUE (stream, name)
    ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

    CREATE TABLE ${streamChunks} (
      stream bigint NOT NULL,
      place int NOT NULL,
      writer bigint NOT NULL,
      data bytea NOT NULL,
      CONSTRAINT ${name("stream_chunks_pkey")} PRIMARY KEY (stream, place)
    );`;
}

/** Appends as they are sent. */
export interface AppendCall {
  readonly appends: readonly AppendChunks[];
  /** Of all appends, one after the other. */
  readonly chunks: readonly Place[];
  readonly bytes: Uint8Array;
}

const appends = (call: AppendCall) => call.appends;
const chunks = (call: AppendCall) => call.chunks;

/** The parameters of `append_chunks_1`. */
export const APPEND_CHUNKS: Parameters<AppendCall> = {
  p_run_ids: column("text", appends, ({ runId }) => toStored(runId)),
  p_names: column("text", appends, ({ name }) => toStored(name)),
  p_writers: column("text", appends, ({ writer }) => toStored(writer)),
  p_ns: column("int", appends, ({ n }) => n),
  p_counts: column("int", appends, (append) => append.chunks.length),
  p_offsets: column("int", chunks, ({ start }) => start),
  p_lengths: column("int", chunks, ({ length }) => length),
  p_bytes: value("bytea", ({ bytes }) => bytes),
};

/** The parameters of `close_stream_1`. */
export const CLOSE_STREAM: Parameters<StreamAddress> = {
  p_run_id: value("text", ({ runId }) => toStored(runId)),
  p_name: value("text", ({ name }) => toStored(name)),
};

/** The parameters of `read_chunks_1`. */
export const READ_CHUNKS: Parameters<ReadChunks> = {
  ...CLOSE_STREAM,
  p_from: value("bigint", ({ from }) => from),
  p_limit: value("bigint", ({ limit }) => limit),
  p_bytes: value("bigint", ({ byteLimit }) => byteLimit),
};

/**
 * `append_chunks_1`. The chunks of all requests come one after the other; `p_counts` tells how many are whose.
 *
 * Whoever makes a stream holds a share lock on its run's row until then, so that the run's end and the new stream come one
 * after the other. An append to a stream that is there takes no lock on the run: see `streams.ts`.
 */
export function appendChunksFunction(tables: Tables): string {
  const { functions, runs, streams, streamWriters, streamChunks } = tables;
  return `
CREATE FUNCTION ${functions.appendChunks}(${signatureOf(APPEND_CHUNKS)}) RETURNS TABLE (place int, outcome text, next int)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_runs bigint[] := '{}';
  v_row record;
  v_writer bigint;
  v_length int;
  v_first int := 1;
  v_skipped int;
BEGIN${LIMIT_WAITS}
  FOR v_row IN
    SELECT r.id FROM ${runs} r
    WHERE r.status NOT ${ENDED} AND r.run_id IN (
      SELECT c.run_id FROM unnest(p_run_ids, p_names, p_ns, p_counts) AS c(run_id, name, n, count)
      WHERE c.n = 0 AND c.count > 0 AND NOT EXISTS (
        SELECT FROM ${runs} o JOIN ${streams} s ON s.run = o.id WHERE o.run_id = c.run_id AND s.name = c.name
      )
    )
    ORDER BY r.run_id
    FOR SHARE OF r
  LOOP
    v_runs := v_runs || v_row.id;
  END LOOP;
  IF cardinality(v_runs) > 0 THEN
    INSERT INTO ${streams} (run, name, length, closed)
    SELECT DISTINCT r.id, c.name, 0, false
    FROM unnest(p_run_ids, p_names, p_ns, p_counts) AS c(run_id, name, n, count)
    JOIN ${runs} r ON r.run_id = c.run_id
    WHERE c.n = 0 AND c.count > 0 AND r.id = ANY (v_runs)
    ORDER BY r.id, c.name
    ON CONFLICT DO NOTHING;
  END IF;

  PERFORM FROM ${streams} s
  WHERE s.id IN (
    SELECT a.id FROM unnest(p_run_ids, p_names) AS c(run_id, name)
    JOIN ${runs} r ON r.run_id = c.run_id JOIN ${streams} a ON a.run = r.id AND a.name = c.name
  )
  ORDER BY s.run, s.name
  FOR NO KEY UPDATE OF s;

  -- What is read from here on cannot change, but for a run that ends: whoever tells of its end waits for these locks.
  FOR index IN 1 .. cardinality(p_run_ids) LOOP
    SELECT r.status ${ENDED} OR coalesce(s.closed, false) AS ended, s.id AS stream, s.length,
      w.id AS writer, coalesce(w.chunks, 0) AS next
    INTO v_row
    FROM ${runs} r
    LEFT JOIN ${streams} s ON s.run = r.id AND s.name = p_names[index]
    LEFT JOIN ${streamWriters} w ON w.stream = s.id AND w.name = p_writers[index]
    WHERE r.run_id = p_run_ids[index];
    place := index;
    next := NULL;
    IF NOT FOUND THEN
      outcome := 'no_such_run';
    ELSIF p_ns[index] + p_counts[index] <= v_row.next THEN
      outcome := 'appended';
    ELSIF v_row.ended THEN
      outcome := 'closed';
    ELSIF p_ns[index] > v_row.next THEN
      outcome := 'gap';
      next := v_row.next;
    ELSIF v_row.stream IS NULL THEN
      RAISE EXCEPTION 'a run was created under this append' USING ERRCODE = 'serialization_failure';
    ELSE
      outcome := 'appended';
      v_skipped := v_row.next - p_ns[index];
      IF v_row.writer IS NULL THEN
        INSERT INTO ${streamWriters} (stream, name, chunks) VALUES (v_row.stream, p_writers[index], p_counts[index])
        RETURNING id INTO v_writer;
      ELSE
        v_writer := v_row.writer;
        UPDATE ${streamWriters} w SET chunks = p_ns[index] + p_counts[index] WHERE w.id = v_writer;
      END IF;
      INSERT INTO ${streamChunks} (stream, place, writer, data)
      SELECT v_row.stream, v_row.length + c.n - 1 - v_skipped, v_writer, substr(p_bytes, c.start, c.length)
      FROM unnest(
        p_offsets[v_first : v_first + p_counts[index] - 1], p_lengths[v_first : v_first + p_counts[index] - 1]
      ) WITH ORDINALITY AS c(start, length, n)
      WHERE c.n > v_skipped;
      UPDATE ${streams} s SET length = s.length + p_counts[index] - v_skipped WHERE s.id = v_row.stream;
    END IF;
    v_first := v_first + p_counts[index];
    RETURN NEXT;
  END LOOP;${REFUSE_LATE}
END $$;`;
}

/**
 * `read_chunks_1`: no row where the run is not stored, else one for each chunk, or one without a chunk. Closes the stream of a
 * run that has ended before it says so: that waits for every append that has not seen the end.
 */
export function readChunksFunction({
  functions,
  runs,
  streams,
  streamWriters,
  streamChunks,
}: Tables): string {
  return `
CREATE FUNCTION ${functions.readChunks}(${signatureOf(READ_CHUNKS)}) RETURNS TABLE (length int, closed boolean, place int, writer text, data bytea)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_row record;
  v_length int := 0;
  v_closed boolean;
BEGIN${LIMIT_WAITS}
  SELECT r.status ${ENDED} AS ended, s.id AS stream, s.closed INTO v_row
  FROM ${runs} r LEFT JOIN ${streams} s ON s.run = r.id AND s.name = p_name WHERE r.run_id = p_run_id;
  IF NOT FOUND THEN RETURN; END IF;
  v_closed := v_row.ended;
  IF v_row.stream IS NOT NULL THEN
    IF v_row.ended AND NOT v_row.closed THEN
      UPDATE ${streams} s SET closed = true WHERE s.id = v_row.stream;
    END IF;
    SELECT s.length, s.closed INTO v_length, v_closed FROM ${streams} s WHERE s.id = v_row.stream;
    -- Deleted meanwhile, with its run.
    IF NOT FOUND THEN RETURN; END IF;
  END IF;
  RETURN QUERY
    SELECT v_length, v_closed, p.place, w.name, p.data FROM (
      SELECT c.*, sum(octet_length(c.data)) OVER (ORDER BY c.place) - octet_length(c.data) AS before
      FROM ${streamChunks} c
      WHERE c.stream = v_row.stream AND c.place >= p_from AND c.place < least(p_from + p_limit, v_length)
      ORDER BY c.place
    ) p JOIN ${streamWriters} w ON w.id = p.writer
    WHERE p.before = 0 OR p.before < p_bytes ORDER BY p.place;
  IF NOT FOUND THEN
    length := v_length;
    closed := v_closed;
    RETURN NEXT;
  END IF;${REFUSE_LATE}
END $$;`;
}

/** `close_stream_1`: false where the run is not stored. */
export function closeStreamFunction({ functions, runs, streams }: Tables): string {
  return `
CREATE FUNCTION ${functions.closeStream}(${signatureOf(CLOSE_STREAM)}) RETURNS boolean
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
DECLARE
  v_run bigint;
BEGIN${LIMIT_WAITS}
  SELECT r.id INTO v_run FROM ${runs} r WHERE r.run_id = p_run_id;
  IF NOT FOUND THEN RETURN false; END IF;
  UPDATE ${streams} s SET closed = true WHERE s.run = v_run AND s.name = p_name;
  IF NOT FOUND THEN
    -- As in append_chunks_1: a stream is made before the end of its run.
    PERFORM FROM ${runs} r WHERE r.id = v_run AND r.status NOT ${ENDED} FOR SHARE OF r;
    IF FOUND THEN
      INSERT INTO ${streams} AS s (run, name, length, closed) VALUES (v_run, p_name, 0, true)
      ON CONFLICT (run, name) DO UPDATE SET closed = true;
    END IF;
  END IF;${REFUSE_LATE}
  RETURN true;
END $$;`;
}

/** Deletes every stream of the runs in `v_ids`; a part of `delete_runs_1`. */
export function deleteStreams({ streams, streamWriters, streamChunks }: Tables): string {
  return `
  DELETE FROM ${streamChunks} c USING ${streams} s WHERE s.run = ANY (v_ids) AND c.stream = s.id;
  DELETE FROM ${streamWriters} w USING ${streams} s WHERE s.run = ANY (v_ids) AND w.stream = s.id;
  DELETE FROM ${streams} s WHERE s.run = ANY (v_ids);`;
}
