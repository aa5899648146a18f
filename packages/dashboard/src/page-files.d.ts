/** What vite.config.ts makes of src/page. */
declare module "#page-files" {
  /** Path → file. */
  export const files: Readonly<Record<string, { readonly type: string; readonly gzip: string }>>;
}
