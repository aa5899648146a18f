/**
 * Streams of a run, each verb one transaction. A stream ends with its run without a write of its own: whether the run has
 * ended is read from its row, and the commit that ends it is a transaction like every append, so one comes before the other.
 */
import {
  type AppendChunks,
  type AppendResult,
  isTerminal,
  type RunStatus,
  type Streams,
} from "@perdure/core/world";
import { bytesOrNull, text } from "./cells.ts";
import type { Connection } from "./connection.ts";
import type { Tables } from "./tables.ts";
import { fromStored, type StoredText, toStored } from "./text.ts";

/**
 * The tables of streams in version 1. A chunk names its writer by a number. `chunks` is an ordinary table with a narrow index,
 * for the reason that `schema.ts` gives for events.
 */
export function createStreamTables({ streams, writers, chunks }: Tables): string {
  return `
    CREATE TABLE ${streams} (
      id INTEGER PRIMARY KEY,
      run INTEGER NOT NULL,
      name TEXT NOT NULL,
      length INTEGER NOT NULL,
      closed INTEGER NOT NULL,
      UNIQUE (run, name)
    );

    CREATE TABLE ${writers} (
      id INTEGER PRIMARY KEY,
      stream INTEGER NOT NULL,
      name TEXT NOT NULL,
      chunks INTEGER NOT NULL,
      UNIQUE (stream, name)
    );

    CREATE TABLE ${chunks} (
      stream INTEGER NOT NULL,
      place INTEGER NOT NULL,
      writer INTEGER NOT NULL,
      data BLOB NOT NULL,
      PRIMARY KEY (stream, place)
    );
  `;
}

/** A run, and one of its streams: the columns of the stream are null before it is made. */
interface StreamRow {
  readonly run: number;
  readonly status: RunStatus;
  readonly id: number | null;
  readonly length: number | null;
  readonly closed: number | null;
}

interface WriterRow {
  readonly id: number;
  readonly chunks: number;
}

interface ChunkRow {
  readonly place: number;
  readonly writer: StoredText;
  readonly data: Uint8Array;
}

/** The verbs of streams. */
export function streams(connection: Connection, tables: Tables): Streams {
  const { runs } = tables;
  const selectStream = connection.prepare<StreamRow>(
    "select stream",
    `SELECT r.id AS run, r.status, s.id, s.length, s.closed
     FROM ${runs} r LEFT JOIN ${tables.streams} s ON s.run = r.id AND s.name = ?2 WHERE r.run_id = ?1`,
  );
  const insertStream = connection.prepare(
    "insert stream",
    `INSERT INTO ${tables.streams} (run, name, length, closed) VALUES (?, ?, 0, 0)`,
  );
  const setLength = connection.prepare("set length", `UPDATE ${tables.streams} SET length = ? WHERE id = ?`);
  const setClosed = connection.prepare(
    "close stream",
    `UPDATE ${tables.streams} SET closed = 1 WHERE id = ?`,
  );
  const selectWriter = connection.prepare<WriterRow>(
    "select writer",
    `SELECT id, chunks FROM ${tables.writers} WHERE stream = ? AND name = ?`,
  );
  const insertWriter = connection.prepare(
    "insert writer",
    `INSERT INTO ${tables.writers} (stream, name, chunks) VALUES (?, ?, 0)`,
  );
  const countChunks = connection.prepare(
    "count chunks of writer",
    `UPDATE ${tables.writers} SET chunks = ? WHERE id = ?`,
  );
  const insertChunk = connection.prepare(
    "insert chunk",
    `INSERT INTO ${tables.chunks} (stream, place, writer, data) VALUES (?, ?, ?, ?)`,
  );
  // Only as many chunks as are wanted are read: how long one is, SQLite knows without reading it.
  const selectChunks = connection.prepare<ChunkRow>(
    "select chunks",
    `SELECT c.place, w.name AS writer, c.data FROM (
       SELECT rowid AS id, place, sum(length(data)) OVER (ORDER BY place) - length(data) AS before
       FROM ${tables.chunks} WHERE stream = ?1 AND place >= ?2 AND place < ?2 + ?3
     ) p
     JOIN ${tables.chunks} c ON c.rowid = p.id JOIN ${tables.writers} w ON w.id = c.writer
     WHERE p.before = 0 OR p.before < ?4 ORDER BY c.place`,
  );

  function append({ runId, name, writer, n, chunks }: AppendChunks): AppendResult {
    const row = selectStream.get(toStored(runId), toStored(name));
    if (row === undefined) return { outcome: "no_such_run" };
    const known = row.id === null ? undefined : selectWriter.get(row.id, toStored(writer));
    const next = known?.chunks ?? 0;
    if (n + chunks.length <= next) return { outcome: "appended" };
    if (hasEnded(row)) return { outcome: "closed" };
    if (n > next) return { outcome: "gap", next };

    const stream = row.id ?? insertStream.run(row.run, toStored(name));
    const writerId = known?.id ?? insertWriter.run(stream, toStored(writer));
    let length = row.length ?? 0;
    for (const data of chunks.slice(next - n)) insertChunk.run(stream, length++, writerId, data);
    countChunks.run(n + chunks.length, writerId);
    setLength.run(length, stream);
    return { outcome: "appended" };
  }

  return {
    appendChunks: (batch) => connection.write(() => batch.map(append)),

    readChunks({ runId, name, from, limit, byteLimit }) {
      return connection.read(() => {
        const row = selectStream.get(toStored(runId), toStored(name));
        if (row === undefined) return null;
        // Nothing else happens on this connection meanwhile, but another process may append: what it adds is left for the next
        // page, so that no answer has more chunks than its length.
        const length = row.length ?? 0;
        const most = Math.min(limit, length - from);
        const found = row.id === null || most <= 0 ? [] : selectChunks.all(row.id, from, most, byteLimit);
        const chunks = found.map(({ place, writer, data }) => ({
          index: place,
          writer: text(writer, "name"),
          data: bytesOrNull(data, "data") ?? new Uint8Array(0),
        }));
        return { chunks, length, closed: hasEnded(row) };
      });
    },

    closeStream({ runId, name }) {
      return connection.write(() => {
        const row = selectStream.get(toStored(runId), toStored(name));
        if (row === undefined) return false;
        if (!hasEnded(row)) setClosed.run(row.id ?? insertStream.run(row.run, toStored(name)));
        return true;
      });
    },

    listStreams({ runId, limit, cursor }) {
      return connection.read(() => {
        const select = connection.prepare<{ name: StoredText }>(
          "list streams",
          `SELECT s.name FROM ${tables.streams} s JOIN ${runs} r ON r.id = s.run
           WHERE r.run_id = ? ${cursor === undefined ? "" : "AND s.name > ?"} ORDER BY s.name LIMIT ?`,
        );
        const after = cursor === undefined ? [] : [toStored(cursor)];
        const found = select.all(toStored(runId), ...after, limit + 1).map(({ name }) => fromStored(name));
        const names = found.slice(0, limit);
        return { names, cursor: found.length > limit ? (names.at(-1) ?? null) : null };
      });
    },
  };
}

/** Deletes every stream of a run, within a transaction. */
export function deleteStreams(connection: Connection, tables: Tables): (run: number) => void {
  const ofRun = `(SELECT id FROM ${tables.streams} WHERE run = ?)`;
  const statements = [
    connection.prepare("delete chunks", `DELETE FROM ${tables.chunks} WHERE stream IN ${ofRun}`),
    connection.prepare("delete writers", `DELETE FROM ${tables.writers} WHERE stream IN ${ofRun}`),
    connection.prepare("delete streams", `DELETE FROM ${tables.streams} WHERE run = ?`),
  ];
  return (run) => {
    for (const statement of statements) statement.run(run);
  };
}

function hasEnded({ status, closed }: StreamRow): boolean {
  return closed === 1 || isTerminal(status);
}
