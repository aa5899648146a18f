import { preset } from "@perdure/tsup";

export default preset({
  index: "src/index.ts",
  register: "src/register.ts",
  esbuild: "src/esbuild.ts",
  vite: "src/vite.ts",
  rollup: "src/rollup.ts",
  rolldown: "src/rolldown.ts",
  webpack: "src/webpack.ts",
  rspack: "src/rspack.ts",
  rsbuild: "src/rsbuild.ts",
  farm: "src/farm.ts",
  bun: "src/bun.ts",
  loader: "src/loader.ts",
  next: "src/next.ts",
  nitro: "src/nitro.ts",
  nuxt: "src/nuxt.ts",
});
