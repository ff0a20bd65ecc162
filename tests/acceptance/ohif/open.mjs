// Open series of a study in OHIF, one after the other, and say what the page shows.
//
// node open.mjs '{"module": …, "chromium": …, "url": …, "study": …, "pictures": …,
//                 "series": [{"name", "file", "expect", "up", "down"}, …]}'
import { close, job, page, tell } from './browser.mjs';

await page.addInitScript(() => window.localStorage?.setItem('shownTours', '["basicViewerTour"]'));
await page.goto(`${job.url}/viewer?StudyInstanceUIDs=${job.study}`);
await page.getByText(job.series[0].name, { exact: true }).first().waitFor({ timeout: 60000 });
// a series opened while the first one is still being drawn makes the viewer complain
await page.getByText(/\(\d+\/\d+\)/).first().waitFor({ timeout: 60000 });
await page.waitForTimeout(3000);
for (const series of job.series) {
  await page.getByText(series.name, { exact: true }).first().dblclick();
  await tell(series, 2500);
}
await close();
