/**
 * Modules that run in a thread of their own, without needing a file: a source `x-url.ts` whose value is
 * `new URL("./y.ts", import.meta.url).href` gets, in the build, a `data:` URL with the bundled code of `y.ts` in its place,
 * dependencies included. Their licenses are written beside it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

const LOCATION = /new URL\("(\.\/[^"]+)", import\.meta\.url\)\.href/;

// Only Node's own modules are there; what a driver would load if it were installed is not. The name is for stack traces.
const HEAD = `const require = (id) => {
  const builtin = process.getBuiltinModule(id);
  if (builtin === undefined) throw Object.assign(new Error("Cannot find module '" + id + "'"), { code: "MODULE_NOT_FOUND" });
  return builtin;
};`;

/** @type {NonNullable<import("tsup").Options["esbuildPlugins"]>[number]} */
export const threadModules = {
  name: "thread-modules",
  setup({ onLoad, esbuild, initialOptions: { target = "node22", outdir = "dist" } }) {
    onLoad({ filter: /-url\.ts$/ }, async ({ path }) => {
      const source = readFileSync(path, "utf8");
      const [location, file] = LOCATION.exec(source) ?? [];
      if (location === undefined || file === undefined) throw new Error(`${path} has no ${LOCATION}`);
      const entry = resolve(dirname(path), file);
      const name = basename(entry, ".ts");
      const { outputFiles, metafile } = await esbuild.build({
        entryPoints: [entry],
        bundle: true,
        write: false,
        metafile: true,
        format: "esm",
        platform: "node",
        target,
        minifySyntax: true,
        minifyWhitespace: true,
        legalComments: "none",
        banner: { js: HEAD },
        footer: { js: `//# sourceURL=perdure-${name}.js` },
        logLevel: "error",
      });
      writeLicenses(join(outdir, `${name}-licenses.txt`), Object.keys(metafile?.inputs ?? {}));
      const text = JSON.stringify(outputFiles[0]?.text);
      return {
        loader: "ts",
        // Base64, as Bun takes what follows the last dot of a `data:` URL for the extension of a file.
        contents: source.replace(
          location,
          () => `"data:text/javascript;base64," + Buffer.from(${text}).toString("base64")`,
        ),
      };
    });
  },
};

/**
 * @param {string} target
 * @param {string[]} inputs
 */
function writeLicenses(target, inputs) {
  const folders = new Set(
    inputs.flatMap((input) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []),
  );
  if (folders.size === 0) return;
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((candidate) => /^licen[sc]e/i.test(candidate));
    const text = file === undefined ? `License: ${license}` : readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${version}\n\n${text}\n`;
  });
  if (!existsSync(dirname(target))) mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, texts.join(`\n${"-".repeat(80)}\n\n`));
}
