/**
 * The reading half of the general path: devalue with our revivers.
 *
 * A reviver runs when its data is complete, or, in a cycle, before: the object is then made empty, and completed at the
 * end. So each piece of data becomes one object, however often it is met.
 */
import { parse } from "devalue";
import { SerializationError } from "../errors/input.ts";
import { NO_SIGNALS, type SignalData, type SignalHost, signalHost } from "./abort.ts";
import { findClass, isSerializable, WORKFLOW_DESERIALIZE } from "./classes.ts";
import { createError, type ErrorData, fillError } from "./error-data.ts";
import { type FunctionData, functionOf } from "./functions.ts";
import { requestOf, responseOf } from "./http-values.ts";
import { CLASS_KEY, DATA_KEY } from "./write.ts";

/** How to read what this process may not know. */
export interface ReadOptions {
  /** Instances of classes that are not registered here, or that refuse their data, come back as the data. */
  readonly lenient?: boolean;
  /**
   * The value is read ahead of the code that gets it. Called if it holds what is tied to whoever reads it, so that it has to be
   * read again there.
   */
  readonly onTied?: () => void;
}

/** The value of a text that `write` made. */
export function read(text: string, options: ReadOptions = {}): unknown {
  const reader = new Reader(options);
  const value = parse(text, reader.revivers());
  reader.complete();
  return value;
}

class Reader {
  readonly #lenient: boolean;
  readonly #signals: SignalHost;
  readonly #made: Map<object, object> = new Map();
  readonly #fills: (() => void)[] = [];

  constructor({ lenient = false, onTied }: ReadOptions) {
    this.#lenient = lenient;
    const readAhead: SignalHost = {
      ...NO_SIGNALS,
      read(data) {
        onTied?.();
        return NO_SIGNALS.read(data);
      },
    };
    this.#signals = onTied === undefined ? signalHost() : readAhead;
  }

  /** The data of each kind has the type that `write`'s reducer of that name gives it. */
  revivers(): Record<string, (data: unknown) => unknown> {
    return {
      Function: (data) => this.#function(data as FunctionData),
      Instance: (data) => this.#instance(data as Record<string, unknown>),
      Error: (data) => this.#error(data as ErrorData),
      Buffer: (data) => bufferOf(data as Uint8Array),
      Stream: (data) => data,
      AbortSignal: (data) => this.#signals.read(data as SignalData).signal,
      AbortController: (data) => {
        return this.#signals.read(data as SignalData).controller ?? new AbortController();
      },
      Headers: (data) => headersOf(data as [string, string][]),
      Request: (data) => this.#whole(data as Parameters<typeof requestOf>[0], requestOf),
      Response: (data) => this.#whole(data as Parameters<typeof responseOf>[0], responseOf),
      Entries: (data) => this.#entries(data as Map<string, unknown>, Object.prototype),
      NullEntries: (data) => this.#entries(data as Map<string, unknown>, null),
    };
  }

  /** Completes what was made before all of its data was there. */
  complete(): void {
    for (const fill of this.#fills) fill();
  }

  #make<T extends object>(data: object, create: () => T, fill: (made: T) => void): T {
    const known = this.#made.get(data);
    if (known !== undefined) return known as T;
    const made = create();
    this.#made.set(data, made);
    this.#fills.push(() => fill(made));
    fill(made);
    return made;
  }

  #function(data: FunctionData): unknown {
    const known = this.#made.get(data);
    if (known !== undefined) return known;
    try {
      const made = functionOf(data);
      this.#made.set(data, made);
      return made;
    } catch (error) {
      if (this.#lenient) return data;
      throw error;
    }
  }

  /** One that holds no other values, so that its data is complete. */
  #whole<Data extends object>(data: Data, create: (data: Data) => object): object {
    return this.#make(
      data,
      () => create(data),
      () => {},
    );
  }

  #error(data: ErrorData): Error {
    return this.#make(
      data,
      () => createError(data),
      (error) => fillError(error, data),
    );
  }

  #entries(data: Map<string, unknown>, prototype: object | null): object {
    return this.#make(
      data,
      () => Object.create(prototype) as object,
      (object) => {
        for (const [key, value] of data) {
          Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
        }
      },
    );
  }

  #instance(stored: Record<string, unknown>): unknown {
    const id = String(stored[CLASS_KEY]);
    const data = stored[DATA_KEY];
    const cls = findClass(id);
    if (cls === undefined || !isSerializable(cls)) {
      if (this.#lenient) return data;
      throw new SerializationError(
        "A stored value",
        `is an instance of class "${id}", which is not registered in this process. Import the module of the class, and ` +
          `call registerClass("${id}", …) in it at module level.`,
      );
    }
    try {
      return cls[WORKFLOW_DESERIALIZE](data);
    } catch (cause) {
      if (this.#lenient) return data;
      throw new SerializationError(
        "A stored value",
        `of class "${id}" was refused by its WORKFLOW_DESERIALIZE.`,
        {
          cause,
        },
      );
    }
  }
}

function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function headersOf(entries: [string, string][]): Headers {
  const headers = new Headers();
  for (const [name, value] of entries) headers.append(name, value);
  return headers;
}
