"""One training run as a job: started, resumed, recorded, and its weights kept."""
