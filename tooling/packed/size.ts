// How large each package is: packed, unpacked, and what it adds to a bundle. `npm run size`, or `npm run size -- --json`.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { pack, published } from "./pack.ts";

/** Sizes of a package, in bytes. */
interface PackageSize {
  readonly name: string;
  /** The tarball that is downloaded. */
  readonly packed: number;
  readonly unpacked: number;
  /** Its main entry point in a minified bundle, with our own packages and without others; compressed by gzip. */
  readonly bundled: number;
}

/** The sizes of all published packages. */
async function sizes(): Promise<PackageSize[]> {
  const folder = mkdtempSync(join(tmpdir(), "perdure-size-"));
  try {
    const packages = published();
    const tarballs = await pack(
      packages.map((each) => each.folder),
      folder,
    );
    return await Promise.all(
      packages.map(async ({ name, main }) => {
        const tarball = tarballs[name] as string;
        return {
          name,
          packed: statSync(tarball).size,
          unpacked: unpackedSize(tarball),
          bundled: await bundledSize(main),
        };
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function unpackedSize(tarball: string): number {
  const listing = execFileSync("tar", ["-tzvf", tarball], { encoding: "utf8" });
  // mode owner/group size …: the third column of GNU tar, the fifth of BSD tar.
  return listing
    .split("\n")
    .map((line) => line.split(/\s+/))
    .reduce((sum, columns) => sum + Number((columns[1]?.includes("/") ? columns[2] : columns[4]) ?? 0), 0);
}

async function bundledSize(main: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [main],
    bundle: true,
    minify: true,
    write: false,
    platform: "node",
    format: "esm",
    logLevel: "error",
    plugins: [
      {
        name: "ours only",
        setup(setup) {
          setup.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === "entry-point" || /^(@perdure\/|perdure(\/|$))/.test(path)
              ? undefined
              : { path, external: true },
          );
        },
      },
    ],
  });
  return outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
}

const all = await sizes();
if (process.argv.includes("--json")) {
  console.log(JSON.stringify(all, null, 2));
} else {
  const kb = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);
  console.log(
    `${"package".padEnd(26)}${"packed".padStart(10)}${"unpacked".padStart(10)}${"bundled".padStart(10)}`,
  );
  for (const { name, packed, unpacked, bundled } of all) {
    console.log(`${name.padEnd(26)}${kb(packed)}${kb(unpacked)}${kb(bundled)}`);
  }
}
