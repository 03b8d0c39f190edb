from .base import EDITS as EDITS
from .preview import preview_cohort as preview_cohort
from .recipe import RecipeSpec as RecipeSpec, load_recipe as load_recipe, recipe_files as recipe_files
