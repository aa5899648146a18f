/**
 * Randomness of the platform: what gives bytes, numbers and ids is answered from the run's own random numbers, what makes
 * keys is refused.
 */
import nodeCrypto from "node:crypto";
import { NonDeterminismError } from "../errors/input.ts";
import type { GuardedContext } from "./context.ts";
import { fillRandom, randomUuid, randomUuidV7 } from "./random.ts";
import { type Answer, answered, refused, type Slot, STEP } from "./slot.ts";

type Callback = (error: null, value: unknown) => void;

/** More bytes than any key, salt or id has: whoever fills a buffer like this is laying in a stock. */
const LARGEST_FILL = 128;

const uuid: Answer = (context) => randomUuid(() => context.random());

/** In the order in which they are installed. */
export const CRYPTO_SLOTS: readonly Slot[] = [
  { holder: () => globalThis.crypto, key: "randomUUID", guard: answered(uuid) },
  {
    holder: () => globalThis.crypto,
    key: "getRandomValues",
    guard: answered((context, [view], original) => {
      // The original first: it refuses what it refuses anywhere.
      original(view);
      fill(context, view as ArrayBufferView, "crypto.getRandomValues()");
      return view;
    }),
  },
  ...ofModule({
    randomUUID: uuid,
    randomUUIDv7: (context) => randomUuidV7(context.now(), () => context.random()),
    randomBytes,
    randomInt,
    randomFillSync(context, [buffer, offset, size], original) {
      original(buffer, offset, size);
      fill(context, rangeOf(buffer as Fillable, offset, size), "crypto.randomFillSync()");
      return buffer;
    },
    randomFill(_context, args) {
      const callback = args.find((arg) => typeof arg === "function") as Callback;
      const [buffer, ...range] = args.slice(0, args.indexOf(callback));
      return give(callback, (nodeCrypto.randomFillSync as Fill)(buffer, ...range));
    },
  }),
  // Old names, whose getters would put the plain function in their own place.
  ...["pseudoRandomBytes", "prng", "rng"].map(
    (key): Slot => ({
      holder: () => nodeCrypto,
      key,
      guard: () => () => nodeCrypto.randomBytes,
      accessor: true,
    }),
  ),
  ...[
    "generateKey",
    "generateKeySync",
    "generateKeyPair",
    "generateKeyPairSync",
    "generatePrime",
    "generatePrimeSync",
    "encapsulate",
  ].map((key) => refusedKeys(() => nodeCrypto, key)),
  ...[nodeCrypto.ECDH, nodeCrypto.DiffieHellman, nodeCrypto.DiffieHellmanGroup].map((cls) =>
    refusedKeys(() => cls?.prototype as object | undefined, "generateKeys"),
  ),
  ...["generateKey", "encapsulateBits", "encapsulateKey"].map((key) =>
    refusedKeys(() => Object.getPrototypeOf(globalThis.crypto.subtle) as object, key),
  ),
];

type Fillable = ArrayBufferView | ArrayBufferLike;
type Fill = (...args: unknown[]) => unknown;

function ofModule(answers: Record<string, Answer>): Slot[] {
  return Object.entries(answers).map(([key, answer]) => ({
    holder: () => nodeCrypto,
    key,
    guard: answered(answer),
  }));
}

function refusedKeys(holder: () => object | undefined, key: string): Slot {
  return { holder, key, guard: refused(`${key}() of crypto`, STEP) };
}

function randomBytes(context: GuardedContext, args: unknown[], original: Fill): unknown {
  const [size, callback] = args;
  const bytes = original(size) as Buffer;
  fillRandom(() => context.random(), bytes);
  return callback === undefined ? bytes : give(callback as Callback, bytes);
}

function randomInt(context: GuardedContext, args: unknown[], original: Fill): unknown {
  const callback = args.find((arg) => typeof arg === "function") as Callback | undefined;
  const bounds = args.filter((arg) => arg !== callback && arg !== undefined) as number[];
  original(...bounds);
  const [min, max] = bounds.length === 1 ? [0, bounds[0] as number] : (bounds as [number, number]);
  const value = min + Math.floor(context.random() * (max - min));
  return callback === undefined ? value : give(callback, value);
}

/** Calls back as Node does, later, but without a thread that would take its time. */
function give(callback: Callback, value: unknown): void {
  process.nextTick(callback, null, value);
}

/**
 * Fills what the caller owns. Libraries that make ids fill a large buffer once, and give pieces of it to whoever asks next:
 * another run, or a step that makes a secret. Those must not be bytes that follow from this run's id.
 */
function fill(context: GuardedContext, view: ArrayBufferView, name: string): void {
  if (view.byteLength > LARGEST_FILL) {
    throw new NonDeterminismError(
      `${name} for ${view.byteLength} bytes at once, as libraries do that keep a stock of them for ids,`,
      context.describe,
      "Make the id in a step, or with crypto.randomUUID(), which a replay repeats.",
    );
  }
  fillRandom(() => context.random(), view);
}

/** The part of a buffer that Node's offset and size, in elements, mean. */
function rangeOf(buffer: Fillable, offset: unknown, size: unknown): Uint8Array {
  const unit = (buffer as Partial<Uint8Array>).BYTES_PER_ELEMENT ?? 1;
  const start = ((offset as number | undefined) ?? 0) * unit;
  const length = size === undefined ? buffer.byteLength - start : (size as number) * unit;
  return ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer, buffer.byteOffset + start, length)
    : new Uint8Array(buffer, start, length);
}
