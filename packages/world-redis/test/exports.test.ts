import { expect, it } from "vitest";
import * as entry from "../src/index.ts";
import * as keeper from "../src/keeper.ts";

it("exports what it should, and nothing else", () => {
  expect(Object.keys(entry)).toEqual(["redisWorld"]);
  expect(Object.keys(keeper)).toEqual(["openWorld"]);
});
