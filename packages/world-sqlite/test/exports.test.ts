import * as main from "@perdure/world-sqlite";
import * as keeper from "@perdure/world-sqlite/keeper";
import { expect, test } from "vitest";

test("what this package exports", () => {
  expect(Object.keys(main)).toEqual(["sqliteWorld"]);
  expect(Object.keys(keeper)).toEqual(["openWorld"]);
});
