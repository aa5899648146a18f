import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { fileAt } from "../src/location.ts";

const here = process.cwd();

test("paths and file: URLs", () => {
  const files: [string, string | null][] = [
    [":memory:", null],
    ["app.db", join(here, "app.db")],
    ["./data:base/app.db", join(here, "data:base", "app.db")],
    ["file:app.db", join(here, "app.db")],
    ["file:./data/app.db", join(here, "data", "app.db")],
    ["file:../app.db", join(here, "..", "app.db")],
    ["FILE:./my%20app.db", join(here, "my app.db")],
    [pathToFileURL("/data/my app.db").href, "/data/my app.db"],
    ["file:/data/app.db", "/data/app.db"],
  ];
  for (const [path, file] of files) expect([path, fileAt(path)]).toEqual([path, file]);
});

test("what names no file is refused, and no password is repeated", () => {
  const refused: [string, RegExp][] = [
    ["postgres://me:secret@host/db", /path begins with "postgres:"/],
    ["sqlite:./app.db", /path begins with "sqlite:", .* Write file:\.\/app\.db/],
    ["sqlite://app.db", /path begins with "sqlite:"/],
    ["file://app.db", /names no file of this machine\. Write file:\.\/app\.db/],
    ["file:./app.db?mode=ro&key=secret", /parameters/],
    ["file:./app.db#secret", /parameters/],
    ["file::memory:", /write ":memory:"/],
    ["file:a%2Fb", /names no file/],
    ["a\0b", /path is the path of a file/],
  ];
  for (const [path, message] of refused) {
    expect(() => fileAt(path)).toThrow(message);
    expect(() => fileAt(path)).toThrow(expect.not.objectContaining({ message: /secret/ }));
  }
});
