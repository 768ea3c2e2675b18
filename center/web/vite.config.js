// The page is served by the center itself, from center/web/dist, and needs no network.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0, // data: addresses would need a wider content security policy
    chunkSizeWarningLimit: 2000,
    rollupOptions: { output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" } },
  },
});
