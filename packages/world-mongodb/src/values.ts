/**
 * Bytes: small ones lie in the run document, large ones in documents of their own, which are written first.
 *
 * A large value's document has an id of its own for each attempt to write it, so it is never overwritten and a run
 * document refers to it only once it is there. What an attempt leaves behind that came to nothing is deleted after it,
 * and where it crashed, with its run or, at the latest, when the journal begins anew (`generations.ts`).
 */
import { randomUUID } from "node:crypto";
import type { Connection } from "./connection.ts";
import { tooLarge } from "./errors.ts";
import type { Collections, StoredValue, ValueDocument } from "./schema.ts";

/** Values above this many bytes leave the run document. */
const LARGEST_IN_PLACE = 16 * 1024;
/** One command inserts about so many bytes. */
const CHUNK = 8 * 1024 * 1024;

export interface Values {
  /**
   * Gathers the values of one write to a run.
   *
   * @param seq see {@link ValueDocument}
   * @param what names them in the error for one that fits into no document
   */
  collect(run: string, seq: number, what: string): Collector;
  /** Inserts the documents of large values; before the run document refers to them. */
  write(documents: readonly ValueDocument[]): Promise<void>;
  /** Deletes documents to which nothing will refer. */
  discard(documents: readonly Pick<ValueDocument, "_id">[]): Promise<void>;
  /** The bytes of values, in their order; `undefined` for those whose document is gone. */
  load(values: readonly (StoredValue | undefined)[]): Promise<(Uint8Array | null | undefined)[]>;
}

/** Gathers the values of one write. */
export interface Collector {
  /** What stands for the value in the run document. @throws {WorldError} for one that fits into no document */
  add(data: Uint8Array | null): StoredValue;
  /** The same for bytes that leave the run document however few they are. */
  put(data: Uint8Array): StoredValue;
  /** The documents to insert before the run document refers to them. */
  readonly documents: readonly ValueDocument[];
}

export function values(connection: Connection, collections: Collections): Values {
  const limit = connection.facts.largestValue;
  return {
    collect(run, seq, what) {
      const documents: ValueDocument[] = [];
      const put = (data: Uint8Array): StoredValue => {
        if (data.byteLength > limit) throw tooLarge(what, data.byteLength, limit);
        const _id = randomUUID();
        documents.push({ _id, run, seq, data });
        return { value: _id };
      };
      return {
        documents,
        put,
        add: (data) => (data === null || data.byteLength <= LARGEST_IN_PLACE ? data : put(data)),
      };
    },

    async write(documents) {
      for (const chunk of chunksOf(documents)) {
        await connection.insert("insert values", collections.values, chunk);
      }
    },

    async discard(documents) {
      if (documents.length === 0) return;
      const filter = { _id: { $in: documents.map(({ _id }) => _id) } };
      await connection.delete("discard values", collections.values, filter);
    },

    async load(stored) {
      const ids = stored.flatMap((value) => (isReference(value) ? [value.value] : []));
      const found = new Map<string, Uint8Array>();
      if (ids.length > 0) {
        const documents = await connection.find<ValueDocument>("find values", collections.values, {
          _id: { $in: ids },
        });
        for (const { _id, data } of documents) found.set(_id, data);
      }
      return stored.map((value) => {
        if (value === null || value === undefined) return null;
        const data = isReference(value) ? found.get(value.value) : value;
        return data === undefined ? undefined : bytesOf(data);
      });
    },
  };
}

/** Cuts documents where a command would be large. */
function chunksOf(documents: readonly ValueDocument[]): ValueDocument[][] {
  const chunks: ValueDocument[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const document of documents) {
    bytes += document.data.byteLength;
    if (bytes > CHUNK) {
      chunks.push([]);
      bytes = document.data.byteLength;
    }
    chunks.at(-1)?.push(document);
  }
  return chunks;
}

/** The driver's bytes as plain ones: a Buffer prints and serializes in ways of its own. */
export function bytesOf(data: Uint8Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The id of the document that a value is in, if it has one. */
export function referenceOf(value: StoredValue | undefined): string | undefined {
  return isReference(value) ? value.value : undefined;
}

function isReference(value: StoredValue | undefined): value is { readonly value: string } {
  return value !== null && value !== undefined && !(value instanceof Uint8Array);
}
