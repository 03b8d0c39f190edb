from .analysis_counts import Counts as Counts, Detection as Detection, detect as detect, fisher_p as fisher_p
from .answered import Answered as Answered, answered_of as answered_of, is_reading as is_reading
from .backup import backup_study as backup_study, restore_study as restore_study
from .create import create_study as create_study
from .demo import demonstrate as demonstrate
from .export import export_study as export_study
from .invitations import invite_reader as invite_reader
from .items import POOLED as POOLED
from .lock import lock_study as lock_study, status_of as status_of
from .power import needed_items as needed_items, plans as plans
from .preference import Preference as Preference
from .published import CARVER_2021 as CARVER_2021, GUO_2020 as GUO_2020, GUO_MAPS as GUO_MAPS, HAN_2018 as HAN_2018
from .report import report_study as report_study
from .serve import Address as Address, serve_study as serve_study
from .spec import ReaderSpec as ReaderSpec
