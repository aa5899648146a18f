import { describe, expect, it } from "vitest";
import { packEvent, packType, unpackEvent } from "../src/schema.ts";
import { fromStored, toBytes } from "../src/text.ts";

const STRINGS = [
  "",
  "a",
  "a\0b",
  "🔑",
  "\ud800",
  "\udfff\ud800",
  "a\ud800b",
  "\ufffd",
  "\u00ff",
  "é".repeat(255),
];

describe("strings", () => {
  it.each(STRINGS)("%j comes back as it was", (text) => {
    expect(fromStored(toBytes(text))).toBe(text);
  });

  it("different ones have different forms", () => {
    expect(new Set(STRINGS.map((text) => toBytes(text).toString("hex"))).size).toBe(STRINGS.length);
  });
});

describe("events", () => {
  const data = new Uint8Array([0, 255, 43]);

  it.each([0, 1_700_000_000_000, -5, 1.5, 2 ** 50])("at %d come back as they were", (at) => {
    for (const id of [null, ...STRINGS]) {
      for (const name of [null, "", "n".repeat(300)]) {
        for (const bytes of [null, new Uint8Array(0), data]) {
          const event = { type: "step_created", at, id, name, data: bytes } as const;
          expect(unpackEvent(packEvent(event), 7)).toEqual({ ...event, seq: 7 });
        }
      }
    }
  });

  it.each(["", "🔑\0".repeat(21), "\ud800".repeat(64), "t".repeat(64)])(
    "of type %j come back as they were",
    (type) => {
      const event = { type, at: 1, id: "step", name: null, data };
      expect(unpackEvent(packEvent(event), 7)).toEqual({ ...event, seq: 7 });
      expect(packEvent(event).subarray(0, packType(type).length)).toEqual(packType(type));
    },
  );

  it("take 8 bytes beside their type, texts and data", () => {
    const event = { type: "step_completed", at: 1_700_000_000_000, id: "step", name: null, data };
    expect(packEvent(event)).toHaveLength(8 + "step_completed".length + 1 + 4 + 3);
  });
});
