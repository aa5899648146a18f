import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { expect, test } from "vitest";
import { openWorld, temporaryDirectory, temporaryFile } from "./store.ts";

/** What is done to the files of an open World. */
const LOSSES: Readonly<Record<string, (path: string) => void>> = {
  "the folder is deleted": (path) => rmSync(dirname(path), { recursive: true }),
  "the folder is renamed": (path) => renameSync(dirname(path), `${dirname(path)}-old`),
  "the file is deleted": (path) => rmSync(path),
  "the file is replaced by a backup": (path) => {
    copyFileSync(path, `${path}.backup`);
    renameSync(`${path}.backup`, path);
  },
  "the -wal file is deleted": (path) => rmSync(`${path}-wal`),
  "the -wal file is replaced": (path) => {
    rmSync(`${path}-wal`);
    writeFileSync(`${path}-wal`, "");
  },
  "the -shm file is deleted": (path) => rmSync(`${path}-shm`),
};

test.for(Object.entries(LOSSES))("%s: every call says so, and nothing is acknowledged", async ([, lose]) => {
  const path = join(temporaryDirectory(), "store", "perdure.db");
  const world = await openWorld({ path });
  await world.createRuns([newRun("wrun_1")], NOW);
  // From now on it looks at the directory alone.
  await delay(150);
  await world.getRuns([]);
  lose(path);
  const says = {
    message: /store.perdure\.db(-wal|-shm)? of an open SQLite World was (deleted|replaced)/,
    retryable: false,
  };
  await refuses(world.createRuns([newRun("wrun_2")], NOW), says);
  await refuses(world.getRuns(["wrun_1"]), says);
});

test("a file that comes back under its name is taken up again", async () => {
  const path = temporaryFile();
  const world = await openWorld({ path });
  renameSync(path, `${path}.moved`);
  await refuses(world.getRuns([]), { message: /deleted or moved/, retryable: false });
  renameSync(`${path}.moved`, path);
  expect(await world.createRuns([newRun("wrun_1")], NOW)).toMatchObject([{ outcome: "created" }]);
});

test("a path that is a link: the files lie beside what it leads to", async () => {
  const directory = temporaryDirectory();
  const [path, link] = [join(directory, "data", "real.db"), join(directory, "perdure.db")];
  await (await openWorld({ path })).close();
  symlinkSync(path, link);
  const world = await openWorld({ path: link });
  await world.createRuns([newRun("wrun_1")], NOW);
  rmSync(`${path}-wal`);
  await refuses(world.getRuns([]), { message: /real\.db-wal .* was deleted/, retryable: false });
});

test.skipIf(process.platform === "win32")(
  "what is created is for this user alone; what was there stays as it was",
  async () => {
    const directory = temporaryDirectory();
    const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);
    const own = join(directory, "a", "b", "perdure.db");
    const world = await openWorld({ path: own });
    await world.createRuns([newRun("wrun_1")], NOW);
    expect([dirname(dirname(own)), dirname(own)].map(mode)).toEqual(["700", "700"]);
    expect([own, `${own}-wal`, `${own}-shm`].map(mode)).toEqual(["600", "600", "600"]);

    const shared = join(directory, "shared", "perdure.db");
    mkdirSync(dirname(shared));
    chmodSync(dirname(shared), 0o770);
    writeFileSync(shared, "");
    chmodSync(shared, 0o660);
    await openWorld({ path: shared });
    expect([dirname(shared), shared, `${shared}-wal`].map(mode)).toEqual(["770", "660", "660"]);
  },
);
