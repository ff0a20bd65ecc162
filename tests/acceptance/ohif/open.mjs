// Open series of a study in OHIF, one after the other, and say what the page shows.
//
// node open.mjs '{"module": …, "chromium": …, "url": …, "study": …, "series": [{"name", "file", "expect", "up"}],
//                 "pictures": …}'
// prints {"name": …, "text": …, "errors": […]} as one JSON line for each series.
import { createRequire } from 'node:module';
import path from 'node:path';

const job = JSON.parse(process.argv[2]);
const { chromium } = createRequire(job.module + '/')('playwright-core');
const browser = await chromium.launch({
  executablePath: job.chromium,
  headless: true,
  args: [
    '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--no-first-run', '--disable-dev-shm-usage',
  ],
});

async function open(series) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const errors = [];
  page.on('console', line => line.type() === 'error' && errors.push(line.text()));
  page.on('pageerror', error => errors.push(String(error)));
  await page.addInitScript(() => window.localStorage?.setItem('shownTours', '["basicViewerTour"]'));
  await page.goto(`${job.url}/viewer?StudyInstanceUIDs=${job.study}`);
  const thumbnail = page.getByText(series.name, { exact: true }).first();
  await thumbnail.waitFor({ timeout: 60000 });
  await page.waitForTimeout(series.settle ?? 3000);
  await thumbnail.dblclick();
  const body = page.locator('body');
  for (const end = Date.now() + 40000; Date.now() < end; await page.waitForTimeout(500)) {
    const text = await body.innerText();
    if (series.expect.every(words => text.includes(words))) break;
  }
  await page.waitForTimeout(3000);
  for (let i = 0; i < (series.up ?? 0); i++) {
    await page.keyboard.press('ArrowUp');
    await page.waitForTimeout(200);
  }
  const text = await body.innerText();
  await page.screenshot({ path: path.join(job.pictures, `${series.file}.png`) });
  await page.close();
  return { name: series.name, text, errors };
}

for (const series of job.series) console.log(JSON.stringify(await open(series)));
await browser.close();
