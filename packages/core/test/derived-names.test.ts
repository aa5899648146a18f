import fc from "fast-check";
import { expect, it } from "vitest";
import { workflowOfStep } from "../src/define/built-ins.ts";
import { ENGINE_QUEUE } from "../src/engine/engine-queue.ts";
import { childRunId, derivedMessageId, entityId, keyedMessageId } from "../src/ids.ts";
import { entityKey, idOf, type Origin, seedAfter } from "../src/interpreter/identity.ts";
import { callClaim, hookName, startName, successorName } from "../src/names.ts";
import { encode, fingerprint } from "../src/serialization/index.ts";

// Whatever ids and names are made of, two that are made of different things are different: of any UTF-16 units, lone surrogates
// included, of what separates parts, and of perdure's own prefixes.

const piece = fc.oneof(
  fc.constantFrom(
    "\0",
    ":",
    "/",
    "#",
    '"',
    "\\",
    ",",
    "a",
    "1",
    "4:",
    "start:",
    "hook:",
    "call:",
    "step:",
    "successor:",
  ),
  fc.constantFrom(
    "$perdure",
    "wrun_",
    "step\0",
    "key_",
    "told_",
    "\ud800",
    "\udc00",
    "\ud801",
    "\ufffd",
    "é",
  ),
  fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
);
const text = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join("").slice(0, 255));
/** Texts that are cut out of one text at two places, so that many of them are made of the same characters. */
const pair = fc.oneof(
  fc.tuple(text, text),
  fc.tuple(text, fc.nat(12)).map(([all, at]) => [all.slice(0, at), all.slice(at)] as [string, string]),
);
const long = fc
  .tuple(text, fc.constantFrom(0, 190, 199, 200, 201, 244, 250))
  .map(([end, length]) => ("x".repeat(length) + end).slice(0, 255));

type Parts = readonly (string | number)[];

/** A separator at one place of two: `a:b`, `c` and `a`, `b:c`. */
const shifted = fc.tuple(text, piece, text, text);

function expectApart(make: (one: string, other: string) => string): void {
  fc.assert(
    fc.property(shifted, ([a, separator, b, c]) => {
      fc.pre(separator !== "");
      expect(make(`${a}${separator}${b}`, c)).not.toBe(make(a, `${b}${separator}${c}`));
    }),
    { numRuns: 2_000 },
  );
}

/** Makes of equal parts the same, of others another one. */
function expectOwn<T extends Parts>(
  parts: fc.Arbitrary<T>,
  make: (...parts: T) => string,
  most = Number.POSITIVE_INFINITY,
): void {
  fc.assert(
    fc.property(parts, parts, (one, other) => {
      const same = one.length === other.length && one.every((part, index) => part === other[index]);
      expect(make(...one) === make(...other)).toBe(same);
      expect(make(...one).length).toBeLessThanOrEqual(most);
      // As the store's UTF-8 has it, where ids are hashes.
      if (most <= 64) expect(Buffer.from(make(...one)).toString()).toBe(make(...one));
    }),
    { numRuns: 2_000 },
  );
}

it("messages and ids", () => {
  expectOwn(pair, keyedMessageId, 64);
  for (const make of [keyedMessageId, derivedMessageId, startName]) expectApart(make);
  expectOwn(fc.array(text, { maxLength: 4 }), derivedMessageId, 64);
  const run = { runId: "wrun_1", generation: 0 };
  expectOwn(fc.tuple(text, fc.nat(3)), (name, count) => entityId("step", run, name, count), 64);
  const generation = fc.tuple(text, fc.nat(3), fc.nat(3));
  expectOwn(generation, (name, count, n) => entityId("hook", { ...run, generation: n }, name, count), 64);
  // Runs are started by what has an id of ours.
  expectOwn(fc.tuple(fc.stringMatching(/^[\w/-]{1,40}$/)), (id) => childRunId(id, 1), 64);
});

it("names that runs have", () => {
  expectOwn(pair, startName, 600);
  const names: readonly ((...parts: string[]) => string)[] = [
    (one) => hookName(one ?? ""),
    (one) => successorName(one ?? ""),
    (one) => callClaim(one ?? "").name,
    (one, other) => startName(one ?? "", other ?? ""),
  ];
  fc.assert(
    fc.property(fc.nat(3), fc.nat(3), pair, pair, (kind, other, one, two) => {
      fc.pre(kind !== other);
      expect(names[kind]?.(...one)).not.toBe(names[other]?.(...two));
    }),
  );
  const longest = "\uffff".repeat(255);
  expect(startName(longest, longest).length).toBeLessThanOrEqual(600);
  expect(hookName(longest).length).toBeLessThanOrEqual(600);
});

it("queues of steps", () => {
  expectOwn(fc.tuple(long), workflowOfStep, 255);
  fc.assert(fc.property(long, (id) => workflowOfStep(id) !== ENGINE_QUEUE));
});

it("what a fork keeps and renews", () => {
  const counted = fc.tuple(fc.constantFrom("step", "hook", "sys"), text);
  expectOwn(counted, (kind, name) => entityKey(kind as "step", name));
  fc.assert(
    fc.property(
      text,
      text,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      (one, other, n, m) => {
        const key = entityKey("step", one);
        const counts = { [key]: 3, [entityKey("step", other)]: 3 };
        const origin = {
          runId: "wrun_1",
          generation: 0,
          until: 9,
          counts,
          renewed: [`${key}\0${n}`],
          origin: null,
        } as unknown as Origin;
        const self = { runId: "wrun_2", generation: 0 };
        const isRenewed = one === other && n === m;
        const id = idOf("step", other, m, self, origin);
        expect(id).toBe(entityId("step", isRenewed ? self : { runId: "wrun_1", generation: 0 }, other, m));
      },
    ),
  );
  const generation = fc.tuple(fc.constantFrom("wrun_1", "wrun_2", "wrun_1/1"), fc.nat(2));
  fc.assert(
    fc.property(generation, generation, ([a, n], [b, m]) => {
      fc.pre(!a.includes("/") && !b.includes("/"));
      const seeds = [
        seedAfter(0, { runId: a, generation: n }, null),
        seedAfter(0, { runId: b, generation: m }, null),
      ];
      expect(seeds[0] === seeds[1]).toBe(a === b && n === m);
    }),
  );
});

it("what tells the arguments of starts apart", () => {
  expectOwn(pair, (workflow, arg) => fingerprint(workflow, encode([arg], "args")));
  expectOwn(pair, (step, arg) => fingerprint("step:a", encode([step, arg], "args")));
});
