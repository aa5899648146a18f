import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

// Builds the page in src/page into one module, dist/page-files.js, with its files as text: a bundle of the user's server has them
// without any file beside it.

/** The licenses of what is in the page. */
const LICENSES = "page-licenses.md";

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

function oneModule(): Plugin {
  return {
    name: "perdure:page-files",
    enforce: "post",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const files: Record<string, { type: string; gzip: string }> = {};
        for (const [path, file] of Object.entries(bundle)) {
          if (path === LICENSES) continue;
          const type = TYPES[path.split(".").at(-1) ?? ""];
          if (type === undefined) throw new Error(`vite.config.ts: what is the type of ${path}?`);
          const content = file.type === "chunk" ? file.code : file.source;
          files[path] = { type, gzip: gzipSync(content, { level: 9 }).toString("base64") };
          delete bundle[path];
        }
        const source = `/** The page of the dashboard: its files, compressed, in base64. */\nexport const files = ${JSON.stringify(files, null, 1)};\n`;
        this.emitFile({ type: "asset", fileName: "page-files.js", source });
      },
    },
  };
}

export default defineConfig({
  root: "src/page",
  // Wherever the dashboard is mounted, its files are beside the page.
  base: "./",
  build: {
    outDir: "../../dist",
    emptyOutDir: false,
    // Nothing in `data:` addresses, which the Content-Security-Policy allows for images only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: ["chrome123", "firefox121", "safari17.5"],
    license: { fileName: LICENSES },
    reportCompressedSize: false,
  },
  logLevel: "warn",
  plugins: [oneModule()],
});
