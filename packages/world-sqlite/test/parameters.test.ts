import { expect, test } from "vitest";
import { withPlainParameters } from "../src/parameters.ts";

test("numbered parameters become plain ones, and their values go where they stand", () => {
  const { sql, arrange } = withPlainParameters("SELECT ?2 FROM a WHERE b = ?1 AND c < ?2");
  expect(sql).toBe("SELECT ? FROM a WHERE b = ? AND c < ?");
  expect(arrange(["b", 2])).toEqual([2, "b", 2]);
});

test("values of parameters that are in order stay as they are", () => {
  const values = ["a", 1];
  for (const sql of ["INSERT INTO a VALUES (?1, ?2)", "INSERT INTO a VALUES (?, ?)"]) {
    expect(withPlainParameters(sql)).toMatchObject({ sql: "INSERT INTO a VALUES (?, ?)" });
    expect(withPlainParameters(sql).arrange(values)).toBe(values);
  }
});

test("no bytes are bound as no bytes on every Node, and not as NULL", () => {
  const { arrange } = withPlainParameters("INSERT INTO a VALUES (?, ?)");
  const [bytes] = arrange([new Uint8Array(0), null]);
  expect(bytes).toEqual(new Uint8Array(0));
  expect((bytes as Uint8Array).buffer.byteLength).toBeGreaterThan(0);
});
