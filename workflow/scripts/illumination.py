from debatch.files import Files
from debatch.report.illumination import draw_illumination
from debatch.report.style import save_figure
from debatch.screen import open_screen
from debatch.screen.illumination import illumination_profiles, profile_table
from door import job

with job(snakemake):
    files = Files(*snakemake.params.place)
    screen = open_screen(files.root)
    profiles = illumination_profiles(screen, snakemake.threads)
    figure = draw_illumination(profiles, screen.channels, snakemake.params.title)
    save_figure(figure, files, "illumination", profile_table(profiles, screen.channels))
